package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// A message that is due arrives within this time.
	due = 5 * time.Second
	// A message that must not arrive has not come after this time.
	quiet = 200 * time.Millisecond
)

// session is one connection with one channel.
type session struct {
	*amqp.Channel
	conn   *amqp.Connection
	socket net.Conn
}

func open() (*session, error) {
	s := &session{}
	config := amqp.Config{
		Heartbeat: 10 * time.Second,
		Dial: func(network, address string) (net.Conn, error) {
			socket, err := amqp.DefaultDial(due)(network, address)
			s.socket = socket
			return socket, err
		},
	}
	conn, err := amqp.DialConfig(brokerURI(), config)
	if err != nil {
		return nil, err
	}
	channel, err := conn.Channel()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s.conn, s.Channel = conn, channel
	return s, nil
}

func brokerURI() string {
	if uri := os.Getenv("LEVERET_URI"); uri != "" {
		return uri
	}
	return "amqp://guest:guest@127.0.0.1:5672/%2f"
}

func (s *session) close() {
	// A check that failed may have lost its connection already.
	_ = s.conn.Close()
}

// breakConnection closes the socket under the connection, as a killed process does.
func (s *session) breakConnection() error {
	return s.socket.Close()
}

// uniqueName is a name that no other run uses.
func uniqueName(purpose string) string {
	random := make([]byte, 6)
	if _, err := rand.Read(random); err != nil {
		panic(err) // the system has no randomness
	}
	return "checks.go." + purpose + "." + hex.EncodeToString(random)
}

// temporaryQueue declares a server-named exclusive queue.
func (s *session) temporaryQueue() (string, error) {
	queue, err := s.QueueDeclare("", false, false, true, false, nil)
	return queue.Name, err
}

// publish sends a text; an empty exchange is the default one.
func (s *session) publish(exchange, key, body string) error {
	message := amqp.Publishing{ContentType: "text/plain", Body: []byte(body)}
	return s.send(exchange, key, message)
}

func (s *session) send(exchange, key string, message amqp.Publishing) error {
	return s.PublishWithContext(context.Background(), exchange, key, false, false, message)
}

// consumeAutoAck consumes a queue with automatic ack.
func (s *session) consumeAutoAck(queue string) (<-chan amqp.Delivery, error) {
	return s.Consume(queue, "", true, false, false, false, nil)
}

// consumeManualAck consumes a queue with manual ack and the given prefetch.
func (s *session) consumeManualAck(queue string, prefetch int) (<-chan amqp.Delivery, error) {
	if err := s.Qos(prefetch, 0, false); err != nil {
		return nil, err
	}
	return s.Consume(queue, "", false, false, false, false, nil)
}

// receive waits for something that is due: a delivery, a return, a confirmation.
func receive[T any](from <-chan T, what string) (T, error) {
	select {
	case item, open := <-from:
		if !open {
			return item, fmt.Errorf("channel closed while waiting for %s", what)
		}
		return item, nil
	case <-time.After(due):
		var none T
		return none, fmt.Errorf("no %s within %v", what, due)
	}
}

// expectBodies receives exactly these bodies in this order, then nothing more.
func expectBodies(deliveries <-chan amqp.Delivery, bodies ...string) error {
	for _, body := range bodies {
		delivery, err := receive(deliveries, fmt.Sprintf("message %q", body))
		if err != nil {
			return err
		}
		if string(delivery.Body) != body {
			return fmt.Errorf("received %q, expected %q", delivery.Body, body)
		}
	}
	return expectQuiet(deliveries)
}

func expectQuiet(deliveries <-chan amqp.Delivery) error {
	select {
	case delivery, open := <-deliveries:
		if !open {
			return errors.New("channel closed")
		}
		return fmt.Errorf("received %q, expected nothing", delivery.Body)
	case <-time.After(quiet):
		return nil
	}
}

// expect is an error when a value is not the expected one.
func expect[T comparable](what string, actual, expected T) error {
	if actual != expected {
		return fmt.Errorf("%s is %v, expected %v", what, actual, expected)
	}
	return nil
}
