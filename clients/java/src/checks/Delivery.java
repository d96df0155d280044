package checks;

import static checks.Broker.expect;
import static checks.Broker.settle;
import static checks.Broker.sharedList;
import static checks.Broker.until;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.Recoverable;
import com.rabbitmq.client.RecoveryListener;
import com.rabbitmq.client.Return;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** What the broker promises about a message: confirms, returns, prefetch, redelivery, restarts. */
final class Delivery {
    private Delivery() {}

    /** A hundred publishes in flight are each confirmed once, also one that no queue takes. */
    static void publisherConfirms() throws Exception {
        try (var broker = new Broker()) {
            var channel = broker.channel();
            var queue = broker.queue(channel, "confirmed", true);
            channel.confirmSelect();
            var outstanding = new ConcurrentSkipListSet<Long>();
            List<Long> unexpected = sharedList();
            channel.addConfirmListener((tag, multiple) -> {
                if (multiple) {
                    outstanding.headSet(tag, true).clear();
                } else if (!outstanding.remove(tag)) {
                    unexpected.add(tag);
                }
            }, (tag, multiple) -> unexpected.add(tag));
            for (int i = 0; i < 100; i++) {
                outstanding.add(channel.getNextPublishSeqNo());
                channel.basicPublish("", queue, MessageProperties.PERSISTENT_BASIC, new byte[] {1});
            }
            outstanding.add(channel.getNextPublishSeqNo());
            channel.basicPublish("amq.direct", "no such key", null, new byte[] {1});
            until(outstanding::isEmpty);
            expect("unconfirmed", List.copyOf(outstanding), List.of());
            expect("confirmed twice or refused", unexpected, List.of());
            expect("messages", channel.messageCount(queue), 100L);
        }
    }

    /** A mandatory message that no queue takes comes back whole, before its confirm. */
    static void mandatoryReturns() throws Exception {
        try (var broker = new Broker()) {
            var channel = broker.channel();
            var returned = new ArrayBlockingQueue<Return>(1);
            channel.addReturnListener(returned::add);
            channel.confirmSelect();
            var properties = new BasicProperties.Builder().messageId("m1").build();
            channel.basicPublish("amq.direct", "no such key", true, properties, "back to me".getBytes(UTF_8));
            channel.waitForConfirmsOrDie(5_000);
            var message = returned.poll();
            if (message == null) {
                throw new AssertionError("the message was confirmed and not returned");
            }
            expect("code", message.getReplyCode(), 312);
            expect("text", message.getReplyText(), "NO_ROUTE");
            expect("exchange", message.getExchange(), "amq.direct");
            expect("routing key", message.getRoutingKey(), "no such key");
            expect("message id", message.getProperties().getMessageId(), "m1");
            expect("body", new String(message.getBody(), UTF_8), "back to me");
            channel.basicPublish("", channel.queueDeclare().getQueue(), true, null, "taken".getBytes(UTF_8));
            channel.waitForConfirmsOrDie(5_000);
            expect("returned though routable", returned.poll(), null);
        }
    }

    /** Each consumer holds as many unacknowledged messages as its prefetch, and no more. */
    static void prefetchFairness() throws Exception {
        try (var broker = new Broker()) {
            var producer = broker.channel();
            var queue = broker.queue(producer, "prefetch", false);
            var small = hold(broker.channel(), queue, 2);
            var channel = broker.channel();
            var large = hold(channel, queue, 5);
            for (int i = 0; i < 20; i++) {
                producer.basicPublish("", queue, null, new byte[] {1});
            }
            until(() -> small.size() == 2 && large.size() == 5);
            settle();
            expect("unacknowledged", List.of(small.size(), large.size()), List.of(2, 5));
            expect("ready", producer.messageCount(queue), 13L);
            channel.basicAck(large.get(2), true);
            until(() -> large.size() == 8);
            settle();
            expect("after three acks", List.of(small.size(), large.size()), List.of(2, 8));
        }
    }

    /** What a killed worker had not acknowledged goes to another, marked and in order. */
    static void redelivery() throws Exception {
        try (var broker = new Broker()) {
            var channel = broker.channel();
            var queue = broker.queue(channel, "tasks", true);
            for (var body : List.of("0", "1", "2")) {
                channel.basicPublish("", queue, null, body.getBytes(UTF_8));
            }
            var java = ProcessHandle.current().info().command().orElse("java");
            var worker = new ProcessBuilder(
                java, "-cp", System.getProperty("java.class.path"), Main.class.getName(), "--worker", queue).start();
            worker.getInputStream().read();
            worker.destroyForcibly().waitFor();
            List<String> got = sharedList();
            channel.basicConsume(queue, true, (tag, message) ->
                got.add(new String(message.getBody(), UTF_8) + " " + message.getEnvelope().isRedeliver()), tag -> {});
            until(() -> got.size() == 3);
            expect("body and redelivered flag", got, List.of("0 true", "1 true", "2 true"));
        }
    }

    /** Takes three messages, says so, and waits to be killed. */
    static void workerThatNeverAcks(String queue) throws Exception {
        try (var connection = Broker.factory().newConnection()) {
            var held = hold(connection.createChannel(), queue, 0);
            until(() -> held.size() == 3);
            System.out.println("taken");
            TimeUnit.SECONDS.sleep(20);
        }
    }

    /** The client's automatic recovery finds the durable queue and consumes again; the transient one is gone. */
    static void reconnect() throws Exception {
        Broker.restartCommand();
        try (var broker = new Broker()) {
            var connection = broker.connection();
            var channel = connection.createChannel();
            var exchange = broker.exchange(channel, "kept", "direct", true);
            var queue = broker.queue(channel, "kept", true);
            channel.queueBind(queue, exchange, "key");
            var transientQueue = Broker.fresh("lost");
            broker.unrecovered().queueDeclare(transientQueue, false, false, false, null);
            var got = Patterns.collect(channel, queue);
            var recovered = recoveryOf(connection);
            Broker.restart();
            recovered.await();
            var other = broker.channel();
            other.exchangeDeclarePassive(exchange);
            other.queueDeclarePassive(queue);
            expectNoQueue(broker.channel(), transientQueue);
            other.basicPublish(exchange, "key", null, "after the restart".getBytes(UTF_8));
            until(() -> !got.isEmpty());
            expect("bodies", got, List.of("after the restart"));
        }
    }

    private static void expectNoQueue(Channel channel, String queue) throws IOException {
        try {
            channel.queueDeclarePassive(queue);
        } catch (IOException wrapper) {
            var closed = (ShutdownSignalException) wrapper.getCause();
            expect("reply code", ((AMQP.Channel.Close) closed.getReason()).getReplyCode(), 404);
            return;
        }
        throw new AssertionError("the transient queue survived");
    }

    private static CountDownLatch recoveryOf(Connection connection) {
        var recovered = new CountDownLatch(1);
        ((Recoverable) connection).addRecoveryListener(new RecoveryListener() {
            @Override
            public void handleRecovery(Recoverable recoverable) {
                recovered.countDown();
            }

            @Override
            public void handleRecoveryStarted(Recoverable recoverable) {}
        });
        return recovered;
    }

    /** Consumes into a list of delivery tags that are left unacknowledged. */
    static List<Long> hold(Channel channel, String queue, int prefetch) throws IOException {
        List<Long> held = sharedList();
        channel.basicQos(prefetch);
        channel.basicConsume(queue, false, (tag, message) ->
            held.add(message.getEnvelope().getDeliveryTag()), tag -> {});
        return held;
    }
}
