// The client checks with github.com/rabbitmq/amqp091-go: one line per check, see clients/README.md.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

const checkTimeout = 10 * time.Second

var checks = []struct {
	name string
	run  func(*session) error
}{
	{"hello-world", helloWorld},
	{"work-queue", workQueue},
	{"publish-subscribe", publishSubscribe},
	{"routing", routing},
	{"topics", topics},
	{"rpc", rpc},
	{"rpc-direct-reply-to", rpcDirectReplyTo},
	{"publisher-confirms", publisherConfirms},
	{"mandatory-returns", mandatoryReturns},
	{"prefetch-fairness", prefetchFairness},
	{"redelivery", redelivery},
	{"tls", tlsServer},
	{"tls-client-certificate", tlsClientCertificate},
	{"token-login", tokenLogin},
	{"token-expiry", tokenExpiry},
	{"token-refresh", tokenRefresh},
	{"reconnect", reconnect},
}

// skipped is why this run cannot do a check.
type skipped string

func (reason skipped) Error() string { return string(reason) }

func main() {
	failed := false
	for _, check := range checks {
		err := runCheck(check.run)
		var skip skipped
		switch {
		case err == nil:
			fmt.Printf("ok go %s\n", check.name)
		case errors.As(err, &skip):
			fmt.Printf("skip go %s: %v\n", check.name, err)
		default:
			failed = true
			fmt.Printf("FAIL go %s: %s\n", check.name, oneLine(err))
		}
	}
	if failed {
		os.Exit(1)
	}
}

func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}

func runCheck(run func(*session) error) error {
	done := make(chan error, 1)
	go func() {
		s, err := open()
		if err != nil {
			done <- fmt.Errorf("connect: %w", err)
			return
		}
		defer s.close()
		done <- run(s)
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(checkTimeout):
		return fmt.Errorf("not done within %v", checkTimeout)
	}
}
