package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A token that expires while a check runs, in seconds: an expiry is a whole second, so that it may have one less.
const shortLife = 3

// token asks the issuer for a token that expires in so many seconds.
func token(lifeSeconds int) (string, error) {
	issuer := os.Getenv("LEVERET_ISSUER")
	if issuer == "" {
		return "", skipped("LEVERET_ISSUER is not set")
	}
	answer, err := http.Get(fmt.Sprintf("%s/token?life_s=%d", issuer, lifeSeconds))
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the issuer answers %s", answer.Status)
	}
	return string(body), err
}

// withToken connects with a token as the password.
func withToken(lifeSeconds int) (*amqp.Connection, error) {
	password, err := token(lifeSeconds)
	if err != nil {
		return nil, err
	}
	login := &amqp.PlainAuth{Username: "whoever", Password: password}
	return amqp.DialConfig(brokerURI(), amqp.Config{SASL: []amqp.Authentication{login}})
}

// exchange sends a message to a queue of the connection and gets it back.
func exchange(conn *amqp.Connection) error {
	channel, err := conn.Channel()
	if err != nil {
		return err
	}
	defer channel.Close()
	queue, err := channel.QueueDeclare("", false, false, true, false, nil)
	if err != nil {
		return err
	}
	deliveries, err := channel.Consume(queue.Name, "", true, true, false, false, nil)
	if err != nil {
		return err
	}
	if err := channel.Publish("", queue.Name, false, false, amqp.Publishing{Body: []byte("x")}); err != nil {
		return err
	}
	select {
	case delivery, isOpen := <-deliveries:
		if !isOpen || string(delivery.Body) != "x" {
			return fmt.Errorf("got %q", delivery.Body)
		}
		return nil
	case <-time.After(due):
		return fmt.Errorf("nothing came within %v", due)
	}
}

// tokenLogin: a token is a password.
func tokenLogin(_ *session) error {
	conn, err := withToken(600)
	if err != nil {
		return err
	}
	defer conn.Close()
	return exchange(conn)
}

// tokenExpiry: the server closes the connection when the token expires.
func tokenExpiry(_ *session) error {
	conn, err := withToken(shortLife)
	if err != nil {
		return err
	}
	defer conn.Close()
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	if err := exchange(conn); err != nil {
		return err
	}
	select {
	case reason := <-closed:
		if reason == nil || reason.Code != 320 {
			return fmt.Errorf("closed with %v, not with 320", reason)
		}
		return nil
	case <-time.After(8 * time.Second):
		return fmt.Errorf("still open after the token expired")
	}
}

// tokenRefresh: connection.update-secret brings a token that takes the place of the one that expires.
func tokenRefresh(_ *session) error {
	conn, err := withToken(shortLife)
	if err != nil {
		return err
	}
	defer conn.Close()
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	fresh, err := token(600)
	if err != nil {
		return err
	}
	if err := conn.UpdateSecret(fresh, "the old one expires"); err != nil {
		return err
	}
	select {
	case reason := <-closed:
		return fmt.Errorf("closed with %v", reason)
	case <-time.After((shortLife + 1) * time.Second):
		return exchange(conn)
	}
}
