package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func publisherConfirms(s *session) error {
	queue, err := s.temporaryQueue()
	if err != nil {
		return err
	}
	if err := s.Confirm(false); err != nil {
		return err
	}
	const routable = 100
	var confirmations []*amqp.DeferredConfirmation
	for i := range routable + 1 {
		key := queue
		if i == routable {
			key = uniqueName("nowhere")
		}
		confirmation, err := s.PublishWithDeferredConfirm("", key, false, false, amqp.Publishing{Body: []byte("x")})
		if err != nil {
			return err
		}
		confirmations = append(confirmations, confirmation)
	}
	ctx, cancel := context.WithTimeout(context.Background(), due)
	defer cancel()
	for _, confirmation := range confirmations {
		acked, err := confirmation.WaitContext(ctx)
		if err != nil {
			return fmt.Errorf("publish %d: %w", confirmation.DeliveryTag, err)
		}
		if !acked {
			return fmt.Errorf("publish %d was nacked", confirmation.DeliveryTag)
		}
	}
	state, err := s.QueueDeclarePassive(queue, false, false, true, false, nil)
	return errors.Join(err, expect("messages in the queue", state.Messages, routable))
}

func mandatoryReturns(s *session) error {
	queue, err := s.temporaryQueue()
	if err != nil {
		return err
	}
	if err := s.Confirm(false); err != nil {
		return err
	}
	// Without buffers the client hands these over in the order of arrival.
	returns := s.NotifyReturn(make(chan amqp.Return))
	confirmations := s.NotifyPublish(make(chan amqp.Confirmation))

	nowhere := uniqueName("nowhere")
	if err := s.publishMandatory(nowhere, "lost"); err != nil {
		return err
	}
	var returned amqp.Return
	select {
	case returned = <-returns:
	case <-confirmations:
		return errors.New("the ack came before the return")
	case <-time.After(due):
		return errors.New("nothing returned")
	}
	confirmation, err := receive(confirmations, "ack")
	if err != nil {
		return err
	}
	if err := errors.Join(
		expect("reply code", returned.ReplyCode, 312),
		expect("reply text", returned.ReplyText, "NO_ROUTE"),
		expect("exchange", returned.Exchange, ""),
		expect("routing key", returned.RoutingKey, nowhere),
		expect("body", string(returned.Body), "lost"),
		expect("acked", confirmation.Ack, true),
	); err != nil {
		return err
	}

	if err := s.publishMandatory(queue, "found"); err != nil {
		return err
	}
	select {
	case <-returns:
		return errors.New("a routable message was returned")
	case confirmation = <-confirmations:
		return expect("delivery tag", confirmation.DeliveryTag, 2)
	case <-time.After(due):
		return errors.New("no ack for the routable message")
	}
}

func (s *session) publishMandatory(key, body string) error {
	message := amqp.Publishing{Body: []byte(body)}
	return s.PublishWithContext(context.Background(), "", key, true, false, message)
}

func prefetchFairness(s *session) error {
	queue := uniqueName("fair")
	if _, err := s.QueueDeclare(queue, false, false, false, false, nil); err != nil {
		return err
	}
	defer s.QueueDelete(queue, false, false, false)
	workers, closeWorkers, err := openWorkers(queue)
	if err != nil {
		return err
	}
	defer closeWorkers()
	const tasks = 60
	for range tasks {
		if err := s.publish("", queue, "task"); err != nil {
			return err
		}
	}
	pauses := [2]time.Duration{30 * time.Millisecond, 3 * time.Millisecond}
	done := make(chan int)
	for i := range workers {
		go work(workers[i], pauses[i], func() { done <- i })
	}
	var counts [2]int
	for i := range tasks {
		worker, err := receive(done, fmt.Sprintf("task %d", i))
		if err != nil {
			return err
		}
		counts[worker]++
	}
	if slow, quick := counts[0], counts[1]; slow == 0 || slow >= quick {
		return fmt.Errorf("the slow worker did %d tasks, the quick one %d", slow, quick)
	}
	return nil
}

func work(tasks <-chan amqp.Delivery, pause time.Duration, done func()) {
	for task := range tasks {
		time.Sleep(pause)
		if task.Ack(false) != nil {
			return
		}
		done()
	}
}

func redelivery(s *session) error {
	queue := uniqueName("redelivery")
	if _, err := s.QueueDeclare(queue, false, false, false, false, nil); err != nil {
		return err
	}
	defer s.QueueDelete(queue, false, false, false)
	killed, err := open()
	if err != nil {
		return err
	}
	killedTasks, err := killed.consumeManualAck(queue, 1)
	if err != nil {
		return err
	}
	if err := s.publish("", queue, "task"); err != nil {
		return err
	}
	task, err := receive(killedTasks, "the first worker's task")
	if err != nil {
		return err
	}
	if err := expect("redelivered at first", task.Redelivered, false); err != nil {
		return err
	}
	tasks, err := s.consumeManualAck(queue, 1)
	if err != nil {
		return err
	}
	if err := expectQuiet(tasks); err != nil {
		return err
	}
	if err := killed.breakConnection(); err != nil {
		return err
	}
	if task, err = receive(tasks, "the second worker's task"); err != nil {
		return err
	}
	return errors.Join(
		expect("body", string(task.Body), "task"),
		expect("redelivered", task.Redelivered, true),
		task.Ack(false),
	)
}

func reconnect(s *session) error {
	restart := os.Getenv("LEVERET_RESTART")
	if restart == "" {
		return skipped("LEVERET_RESTART is not set")
	}
	durable, transient := uniqueName("durable"), uniqueName("transient")
	if _, err := s.QueueDeclare(durable, true, false, false, false, nil); err != nil {
		return err
	}
	if _, err := s.QueueDeclare(transient, false, false, false, false, nil); err != nil {
		return err
	}
	closed := s.conn.NotifyClose(make(chan *amqp.Error, 1))
	if output, err := exec.Command("sh", "-c", restart).CombinedOutput(); err != nil {
		return fmt.Errorf("restart: %w: %s", err, output)
	}
	if _, err := receive(closed, "news of the lost connection"); err != nil {
		return err
	}
	again, err := reopen()
	if err != nil {
		return err
	}
	defer again.close()
	if _, err := again.QueueDeclarePassive(durable, true, false, false, false, nil); err != nil {
		return fmt.Errorf("the durable queue is gone: %w", err)
	}
	defer again.QueueDelete(durable, false, false, false)
	deliveries, err := again.consumeAutoAck(durable)
	if err != nil {
		return err
	}
	if err := again.publish("", durable, "after"); err != nil {
		return err
	}
	return errors.Join(expectBodies(deliveries, "after"), again.expectNoQueue(transient))
}

// reopen tries until the broker is back.
func reopen() (*session, error) {
	for deadline := time.Now().Add(due); ; time.Sleep(50 * time.Millisecond) {
		s, err := open()
		if err == nil || time.Now().After(deadline) {
			return s, err
		}
	}
}

func (s *session) expectNoQueue(name string) error {
	probe, err := s.conn.Channel()
	if err != nil {
		return err
	}
	_, err = probe.QueueDeclarePassive(name, false, false, false, false, nil)
	var closed *amqp.Error
	if !errors.As(err, &closed) || closed.Code != amqp.NotFound {
		return fmt.Errorf("passive declare of %s: %v, expected 404", name, err)
	}
	return nil
}
