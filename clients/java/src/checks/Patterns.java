package checks;

import static checks.Broker.expect;
import static checks.Broker.settle;
import static checks.Broker.sharedList;
import static checks.Broker.until;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.MessageProperties;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.IntUnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** The six patterns of the tutorials. */
final class Patterns {
    private Patterns() {}

    static void helloWorld() throws Exception {
        try (var broker = new Broker()) {
            var producer = broker.channel();
            var queue = broker.queue(producer, "hello", false);
            producer.basicPublish("", queue, null, "Hello World!".getBytes(UTF_8));
            var got = collect(broker.channel(), queue);
            until(() -> !got.isEmpty());
            expect("bodies", got, List.of("Hello World!"));
        }
    }

    /** Tasks go to the workers in turn, and are gone once acknowledged. */
    static void roundRobin() throws Exception {
        try (var broker = new Broker()) {
            var producer = broker.channel();
            var queue = broker.queue(producer, "tasks", true);
            var first = work(broker.channel(), queue);
            var second = work(broker.channel(), queue);
            for (int task = 0; task < 20; task++) {
                publish(producer, queue, task);
            }
            until(() -> first.size() + second.size() == 20);
            settle();
            expect("first worker", first, numbers(i -> i * 2));
            expect("second worker", second, numbers(i -> i * 2 + 1));
            expect("messages left", producer.messageCount(queue), 0L);
        }
    }

    /** With prefetch 1 a busy worker is given nothing while the other does the work. */
    static void workQueue() throws Exception {
        try (var broker = new Broker()) {
            var producer = broker.channel();
            var queue = broker.queue(producer, "tasks", true);
            var busy = broker.channel();
            var held = Delivery.hold(busy, queue, 1);
            publish(producer, queue, -1);
            until(() -> held.size() == 1);
            var idle = broker.channel();
            idle.basicQos(1);
            var done = work(idle, queue);
            for (int task = 0; task < 10; task++) {
                publish(producer, queue, task);
            }
            until(() -> done.size() == 10);
            expect("idle worker", done, numbers(i -> i));
            expect("busy worker's tasks", held.size(), 1);
            busy.basicAck(held.get(0), false);
        }
    }

    static void publishSubscribe() throws Exception {
        try (var broker = new Broker()) {
            var producer = broker.channel();
            var exchange = broker.exchange(producer, "logs", "fanout", false);
            var one = subscribe(broker.channel(), exchange, "");
            var two = subscribe(broker.channel(), exchange, "");
            for (var line : List.of("first", "second")) {
                producer.basicPublish(exchange, "ignored", null, line.getBytes(UTF_8));
            }
            until(() -> one.size() == 2 && two.size() == 2);
            expect("subscribers", List.of(one, two), List.of(List.of("first", "second"), List.of("first", "second")));
        }
    }

    static void routing() throws Exception {
        try (var broker = new Broker()) {
            var producer = broker.channel();
            var exchange = broker.exchange(producer, "direct_logs", "direct", false);
            var errors = subscribe(broker.channel(), exchange, "error");
            var everything = subscribe(broker.channel(), exchange, "info", "warning", "error");
            for (var severity : List.of("info", "error", "debug", "warning")) {
                producer.basicPublish(exchange, severity, null, severity.getBytes(UTF_8));
            }
            until(() -> errors.size() == 1 && everything.size() == 3);
            settle();
            expect("bound to error", errors, List.of("error"));
            expect("bound to three keys", everything, List.of("info", "error", "warning"));
        }
    }

    static void topics() throws Exception {
        var published = List.of(
            "quick.orange.rabbit", "lazy.orange.elephant", "quick.brown.fox", "orange", "lazy", "lazy.pink.new.rabbit");
        var wanted = Map.of(
            "*.orange.*", List.of("quick.orange.rabbit", "lazy.orange.elephant"),
            "lazy.#", List.of("lazy.orange.elephant", "lazy", "lazy.pink.new.rabbit"),
            "#.rabbit", List.of("quick.orange.rabbit", "lazy.pink.new.rabbit"),
            "#", published);
        try (var broker = new Broker()) {
            var producer = broker.channel();
            var consumer = broker.channel();
            var exchange = broker.exchange(producer, "topic_logs", "topic", false);
            var got = new HashMap<String, List<String>>();
            for (var pattern : wanted.keySet()) {
                got.put(pattern, subscribe(consumer, exchange, pattern));
            }
            for (var key : published) {
                producer.basicPublish(exchange, key, null, key.getBytes(UTF_8));
            }
            until(() -> got.equals(wanted));
            settle();
            expect("bodies by pattern", got, wanted);
        }
    }

    static void rpc() throws Exception {
        try (var broker = new Broker()) {
            var client = broker.channel();
            callSquares(client, answer(broker), client.queueDeclare().getQueue());
        }
    }

    static void rpcDirectReplyTo() throws Exception {
        try (var broker = new Broker()) {
            callSquares(broker.channel(), answer(broker), "amq.rabbitmq.reply-to");
        }
    }

    /** Serves squares: replies to the request's reply-to with its correlation id. Gives the queue's name. */
    private static String answer(Broker broker) throws Exception {
        var server = broker.channel();
        var queue = broker.queue(server, "rpc", false);
        server.basicQos(1);
        server.basicConsume(queue, false, (tag, request) -> {
            var asked = request.getProperties();
            var properties = new BasicProperties.Builder().correlationId(asked.getCorrelationId()).build();
            var number = Integer.parseInt(new String(request.getBody(), UTF_8));
            server.basicPublish("", asked.getReplyTo(), properties, String.valueOf(number * number).getBytes(UTF_8));
            server.basicAck(request.getEnvelope().getDeliveryTag(), false);
        }, tag -> {});
        return queue;
    }

    /** Calls the server three times and checks the replies by correlation id. */
    private static void callSquares(Channel client, String queue, String replyTo) throws Exception {
        var replies = new ConcurrentHashMap<String, String>();
        client.basicConsume(replyTo, true, (tag, reply) ->
            replies.put(reply.getProperties().getCorrelationId(), new String(reply.getBody(), UTF_8)), tag -> {});
        for (int number : new int[] {7, 12, 30}) {
            var properties = new BasicProperties.Builder().replyTo(replyTo).correlationId("call " + number).build();
            client.basicPublish("", queue, properties, String.valueOf(number).getBytes(UTF_8));
        }
        until(() -> replies.size() == 3);
        expect("replies", new TreeMap<>(replies), Map.of("call 7", "49", "call 12", "144", "call 30", "900"));
    }

    private static void publish(Channel channel, String queue, int task) throws IOException {
        channel.basicPublish("", queue, MessageProperties.PERSISTENT_BASIC, String.valueOf(task).getBytes(UTF_8));
    }

    /** Consumes into a list of task numbers, acknowledging each. */
    private static List<Integer> work(Channel channel, String queue) throws IOException {
        List<Integer> done = sharedList();
        channel.basicConsume(queue, false, (tag, task) -> {
            done.add(Integer.valueOf(new String(task.getBody(), UTF_8)));
            channel.basicAck(task.getEnvelope().getDeliveryTag(), false);
        }, tag -> {});
        return done;
    }

    /** Collects from a server-named queue bound with the given keys. */
    private static List<String> subscribe(Channel channel, String exchange, String... keys) throws IOException {
        var queue = channel.queueDeclare().getQueue();
        for (var key : keys) {
            channel.queueBind(queue, exchange, key);
        }
        return collect(channel, queue);
    }

    /** Consumes into a list of bodies. */
    static List<String> collect(Channel channel, String queue) throws IOException {
        List<String> bodies = sharedList();
        channel.basicConsume(queue, true, (tag, message) ->
            bodies.add(new String(message.getBody(), UTF_8)), tag -> {});
        return bodies;
    }

    /** The first ten values of a sequence. */
    private static List<Integer> numbers(IntUnaryOperator value) {
        return IntStream.range(0, 10).map(value).boxed().collect(Collectors.toList());
    }
}
