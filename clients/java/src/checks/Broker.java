package checks;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import java.io.IOException;
import java.net.URISyntaxException;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Connects to the broker at LEVERET_URI, and restarts it. */
final class Broker implements AutoCloseable {
    private static final String URI =
        System.getenv().getOrDefault("LEVERET_URI", "amqp://guest:guest@127.0.0.1:5672/");

    interface Condition {
        boolean holds() throws IOException;
    }

    private final List<Connection> connections = new ArrayList<>();
    private final List<String> queues = new ArrayList<>();
    private final List<String> exchanges = new ArrayList<>();

    static ConnectionFactory factory() {
        var factory = new ConnectionFactory();
        try {
            factory.setUri(URI.replaceFirst("/$", "")); // a final slash means an empty virtual host here
        } catch (URISyntaxException | GeneralSecurityException error) {
            throw new IllegalArgumentException("LEVERET_URI", error);
        }
        factory.setNetworkRecoveryInterval(200);
        return factory;
    }

    /** Opens a channel on a connection of its own, closed with this object. */
    Channel channel() throws IOException, TimeoutException {
        return connection().createChannel();
    }

    /** Opens a connection, closed with this object. */
    Connection connection() throws IOException, TimeoutException {
        var connection = factory().newConnection();
        connections.add(connection);
        return connection;
    }

    /** Opens a channel whose client does not reconnect and declare its queues again. */
    Channel unrecovered() throws IOException, TimeoutException {
        var factory = factory();
        factory.setAutomaticRecoveryEnabled(false);
        var connection = factory.newConnection();
        connections.add(connection);
        return connection.createChannel();
    }

    /** Declares a queue that other connections can use, deleted with this object. */
    String queue(Channel channel, String name, boolean durable) throws IOException {
        var queue = fresh(name);
        channel.queueDeclare(queue, durable, false, false, null);
        queues.add(queue);
        return queue;
    }

    /** Declares an exchange, deleted with this object. */
    String exchange(Channel channel, String name, String type, boolean durable) throws IOException {
        var exchange = fresh(name);
        channel.exchangeDeclare(exchange, type, durable);
        exchanges.add(exchange);
        return exchange;
    }

    @Override
    public void close() throws IOException, TimeoutException {
        for (var connection : connections) {
            connection.abort();
        }
        try (var connection = factory().newConnection(); var channel = connection.createChannel()) {
            for (var queue : queues) {
                channel.queueDelete(queue);
            }
            for (var exchange : exchanges) {
                channel.exchangeDelete(exchange);
            }
        }
    }

    /** The shell command that kills the broker and starts it again on the same data. */
    static String restartCommand() throws Main.Skipped {
        var command = System.getenv("LEVERET_RESTART");
        if (command == null || command.isEmpty()) {
            throw new Main.Skipped("LEVERET_RESTART is not set");
        }
        return command;
    }

    static void restart() throws Exception {
        var shell = new ProcessBuilder("sh", "-c", restartCommand());
        shell.redirectOutput(ProcessBuilder.Redirect.DISCARD).redirectError(ProcessBuilder.Redirect.INHERIT);
        expect("restart command's status", shell.start().waitFor(), 0);
    }

    static String fresh(String name) {
        return "check." + name + "." + UUID.randomUUID();
    }

    static <T> List<T> sharedList() {
        return Collections.synchronizedList(new ArrayList<>());
    }

    static void expect(String what, Object actual, Object wanted) {
        if (!Objects.equals(actual, wanted)) {
            throw new AssertionError(what + ": got " + actual + ", wanted " + wanted);
        }
    }

    /** Waits up to five seconds. */
    static void until(Condition condition) throws Exception {
        for (int i = 0; i < 500 && !condition.holds(); i++) {
            TimeUnit.MILLISECONDS.sleep(10);
        }
    }

    /** Waits long enough for anything unwanted to arrive. */
    static void settle() throws InterruptedException {
        TimeUnit.MILLISECONDS.sleep(300);
    }
}
