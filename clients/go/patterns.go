package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func helloWorld(s *session) error {
	queue := uniqueName("hello")
	if _, err := s.QueueDeclare(queue, false, false, true, false, nil); err != nil {
		return err
	}
	sent := amqp.Publishing{
		ContentType:   "text/plain",
		CorrelationId: "c-1",
		MessageId:     "m-1",
		Type:          "greeting",
		Priority:      3,
		Timestamp:     time.Unix(1_700_000_000, 0),
		Headers:       amqp.Table{"count": int32(7), "nested": amqp.Table{"yes": true}},
		Body:          []byte("Hello World!"),
	}
	if err := s.send("", queue, sent); err != nil {
		return err
	}
	deliveries, err := s.consumeAutoAck(queue)
	if err != nil {
		return err
	}
	received, err := receive(deliveries, "message")
	if err != nil {
		return err
	}
	nested, _ := received.Headers["nested"].(amqp.Table)
	return errors.Join(
		expect("body", string(received.Body), "Hello World!"),
		expect("exchange", received.Exchange, ""),
		expect("routing key", received.RoutingKey, queue),
		expect("redelivered", received.Redelivered, false),
		expect("content type", received.ContentType, sent.ContentType),
		expect("correlation id", received.CorrelationId, sent.CorrelationId),
		expect("message id", received.MessageId, sent.MessageId),
		expect("type", received.Type, sent.Type),
		expect("priority", received.Priority, sent.Priority),
		expect("timestamp", received.Timestamp.Unix(), sent.Timestamp.Unix()),
		expect[any]("header count", received.Headers["count"], int32(7)),
		expect[any]("nested header", nested["yes"], true),
	)
}

func workQueue(s *session) error {
	queue := uniqueName("tasks")
	if _, err := s.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		return err
	}
	defer s.QueueDelete(queue, false, false, false)
	workers, closeWorkers, err := openWorkers(queue)
	if err != nil {
		return err
	}
	defer closeWorkers()
	const tasks = 10
	for i := range tasks {
		task := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(strconv.Itoa(i))}
		if err := s.send("", queue, task); err != nil {
			return err
		}
	}
	return shareTasks(workers[0], workers[1], tasks)
}

// openWorkers starts two consumers with manual ack and prefetch 1, each with a connection of its own.
func openWorkers(queue string) (tasks [2]<-chan amqp.Delivery, closeAll func(), err error) {
	var workers []*session
	closeAll = func() {
		for _, worker := range workers {
			worker.close()
		}
	}
	for i := range tasks {
		worker, err := open()
		if err != nil {
			closeAll()
			return tasks, nil, err
		}
		workers = append(workers, worker)
		if tasks[i], err = worker.consumeManualAck(queue, 1); err != nil {
			closeAll()
			return tasks, nil, err
		}
	}
	return tasks, closeAll, nil
}

// shareTasks lets one worker be busy with its first task while the other does all the rest.
func shareTasks(busy, free <-chan amqp.Delivery, tasks int) error {
	long, err := receive(busy, "the first worker's task")
	if err != nil {
		return err
	}
	done := map[string]bool{string(long.Body): true}
	for i := 1; i < tasks; i++ {
		task, err := receive(free, "the second worker's task")
		if err != nil {
			return err
		}
		done[string(task.Body)] = true
		if i == 1 {
			if err := errors.Join(expectQuiet(busy), expectQuiet(free)); err != nil {
				return fmt.Errorf("prefetch 1, nothing acked: %w", err)
			}
		}
		if err := task.Ack(false); err != nil {
			return err
		}
	}
	if err := long.Ack(false); err != nil {
		return err
	}
	return errors.Join(
		expect("number of different tasks", len(done), tasks),
		expectQuiet(busy),
		expectQuiet(free),
	)
}

func publishSubscribe(s *session) error {
	exchange := uniqueName("logs")
	if err := s.ExchangeDeclare(exchange, amqp.ExchangeFanout, false, false, false, false, nil); err != nil {
		return err
	}
	defer s.ExchangeDelete(exchange, false, false)
	first, err := s.subscribe(exchange, "")
	if err != nil {
		return err
	}
	second, err := s.subscribe(exchange, "")
	if err != nil {
		return err
	}
	if err := s.publish(exchange, "ignored", "info: hello"); err != nil {
		return err
	}
	return errors.Join(expectBodies(first, "info: hello"), expectBodies(second, "info: hello"))
}

// subscribe consumes a temporary queue that is bound with each of the keys.
func (s *session) subscribe(exchange string, keys ...string) (<-chan amqp.Delivery, error) {
	queue, err := s.temporaryQueue()
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if err := s.QueueBind(queue, key, exchange, false, nil); err != nil {
			return nil, err
		}
	}
	return s.consumeAutoAck(queue)
}

func routing(s *session) error {
	exchange := uniqueName("direct-logs")
	if err := s.ExchangeDeclare(exchange, amqp.ExchangeDirect, false, false, false, false, nil); err != nil {
		return err
	}
	defer s.ExchangeDelete(exchange, false, false)
	errorsOnly, err := s.subscribe(exchange, "error")
	if err != nil {
		return err
	}
	all, err := s.subscribe(exchange, "info", "warning", "error")
	if err != nil {
		return err
	}
	for _, severity := range []string{"info", "error", "debug", "warning"} {
		if err := s.publish(exchange, severity, severity); err != nil {
			return err
		}
	}
	return errors.Join(
		expectBodies(errorsOnly, "error"),
		expectBodies(all, "info", "error", "warning"),
	)
}

func topics(s *session) error {
	exchange := uniqueName("animals")
	if err := s.ExchangeDeclare(exchange, amqp.ExchangeTopic, false, false, false, false, nil); err != nil {
		return err
	}
	defer s.ExchangeDelete(exchange, false, false)
	orange, err := s.subscribe(exchange, "*.orange.*")
	if err != nil {
		return err
	}
	rabbitOrLazy, err := s.subscribe(exchange, "*.*.rabbit", "lazy.#")
	if err != nil {
		return err
	}
	everything, err := s.subscribe(exchange, "#")
	if err != nil {
		return err
	}
	keys := []string{
		"quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox", "lazy.brown.fox",
		"lazy.pink.rabbit", "quick.brown.fox", "orange", "quick.orange.new.rabbit",
		"lazy.orange.new.rabbit", "lazy",
	}
	for _, key := range keys {
		if err := s.publish(exchange, key, key); err != nil {
			return err
		}
	}
	return errors.Join(
		expectBodies(orange, "quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox"),
		expectBodies(rabbitOrLazy, "quick.orange.rabbit", "lazy.orange.elephant", "lazy.brown.fox",
			"lazy.pink.rabbit", "lazy.orange.new.rabbit", "lazy"),
		expectBodies(everything, keys...),
	)
}

func rpc(s *session) error {
	replyTo, err := s.temporaryQueue()
	if err != nil {
		return err
	}
	return callFibonacci(s, replyTo)
}

func rpcDirectReplyTo(s *session) error {
	return callFibonacci(s, "amq.rabbitmq.reply-to")
}

// callFibonacci sends two requests at once and matches the replies by correlation id.
func callFibonacci(s *session, replyTo string) error {
	requests := uniqueName("rpc")
	server, err := open()
	if err != nil {
		return err
	}
	defer server.close()
	if _, err := server.QueueDeclare(requests, false, true, false, false, nil); err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- serveFibonacci(server, requests, 2) }()

	replies, err := s.consumeAutoAck(replyTo)
	if err != nil {
		return err
	}
	for _, n := range []string{"10", "20"} {
		request := amqp.Publishing{CorrelationId: "fib-" + n, ReplyTo: replyTo, Body: []byte(n)}
		if err := s.send("", requests, request); err != nil {
			return err
		}
	}
	results := map[string]string{}
	for range 2 {
		reply, err := receive(replies, "reply")
		if err != nil {
			return err
		}
		results[reply.CorrelationId] = string(reply.Body)
	}
	return errors.Join(
		<-served,
		expect("fib(10)", results["fib-10"], "55"),
		expect("fib(20)", results["fib-20"], "6765"),
		expectQuiet(replies),
	)
}

func serveFibonacci(server *session, queue string, requests int) error {
	deliveries, err := server.consumeManualAck(queue, 1)
	if err != nil {
		return err
	}
	for range requests {
		request, err := receive(deliveries, "request")
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(request.Body))
		if err != nil {
			return err
		}
		reply := amqp.Publishing{
			CorrelationId: request.CorrelationId,
			Body:          []byte(strconv.Itoa(fibonacci(n))),
		}
		if err := server.send("", request.ReplyTo, reply); err != nil {
			return err
		}
		if err := request.Ack(false); err != nil {
			return err
		}
	}
	return nil
}

func fibonacci(n int) int {
	a, b := 0, 1
	for ; n > 0; n-- {
		a, b = b, a+b
	}
	return a
}
