package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"

	amqp "github.com/rabbitmq/amqp091-go"
)

// tlsServer: a connection over TLS, with a password, to a server whose certificate is checked.
func tlsServer(_ *session) error {
	return overTLS(nil, nil)
}

// tlsClientCertificate: the client shows a certificate, which names its user.
func tlsClientCertificate(_ *session) error {
	files := os.Getenv("LEVERET_TLS_FILES")
	pair, err := tls.LoadX509KeyPair(filepath.Join(files, "client.pem"), filepath.Join(files, "client.key"))
	if files != "" && err != nil {
		return err
	}
	return overTLS([]tls.Certificate{pair}, []amqp.Authentication{&amqp.ExternalAuth{}})
}

func overTLS(certificates []tls.Certificate, sasl []amqp.Authentication) error {
	uri, files := os.Getenv("LEVERET_TLS_URI"), os.Getenv("LEVERET_TLS_FILES")
	if uri == "" || files == "" {
		return skipped("LEVERET_TLS_URI and LEVERET_TLS_FILES are not set")
	}
	authority, err := os.ReadFile(filepath.Join(files, "ca.pem"))
	if err != nil {
		return err
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	config := amqp.Config{SASL: sasl, TLSClientConfig: &tls.Config{RootCAs: trusted, Certificates: certificates}}
	conn, err := amqp.DialConfig(uri, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	channel, err := conn.Channel()
	if err != nil {
		return err
	}
	queue, err := channel.QueueDeclare("", false, false, true, false, nil)
	if err != nil {
		return err
	}
	body := make([]byte, 1<<20)
	if err := channel.Publish("", queue.Name, false, false, amqp.Publishing{Body: body}); err != nil {
		return err
	}
	deliveries, err := channel.Consume(queue.Name, "", true, false, false, false, nil)
	if err != nil {
		return err
	}
	if delivery := <-deliveries; len(delivery.Body) != len(body) {
		return fmt.Errorf("%d bytes came back of %d", len(delivery.Body), len(body))
	}
	return nil
}
