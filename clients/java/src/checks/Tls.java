package checks;

import com.rabbitmq.client.DefaultSaslConfig;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Connections over TLS. */
final class Tls {
    private static final char[] PASSWORD = "changeit".toCharArray();

    private Tls() {}

    /** With a password, to a server whose certificate is checked. */
    static void server() throws Exception {
        overTls(false);
    }

    /** The client shows a certificate, which names its user. */
    static void clientCertificate() throws Exception {
        overTls(true);
    }

    private static void overTls(boolean showsCertificate) throws Exception {
        var uri = System.getenv("LEVERET_TLS_URI");
        var files = System.getenv("LEVERET_TLS_FILES");
        if (uri == null || files == null) {
            throw new Main.Skipped("LEVERET_TLS_URI and LEVERET_TLS_FILES are not set");
        }
        var factory = Broker.factory();
        factory.setUri(uri);
        factory.useSslProtocol(context(Path.of(files), showsCertificate));
        factory.enableHostnameVerification();
        if (showsCertificate) {
            factory.setSaslConfig(DefaultSaslConfig.EXTERNAL);
        }
        try (var connection = factory.newConnection(); var channel = connection.createChannel()) {
            var queue = channel.queueDeclare().getQueue();
            var body = new byte[1 << 20];
            channel.basicPublish("", queue, null, body);
            var received = new ArrayBlockingQueue<byte[]>(1);
            channel.basicConsume(queue, true, (tag, delivery) -> received.add(delivery.getBody()), tag -> {});
            var answer = received.poll(5, TimeUnit.SECONDS);
            if (answer == null || answer.length != body.length) {
                throw new IllegalStateException("the body did not come back");
            }
        }
    }

    private static SSLContext context(Path files, boolean showsCertificate) throws Exception {
        var trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        try (InputStream in = Files.newInputStream(files.resolve("ca.pem"))) {
            trusted.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        var own = KeyStore.getInstance("PKCS12");
        own.load(null, null);
        if (showsCertificate) {
            try (InputStream in = Files.newInputStream(files.resolve("client.p12"))) {
                own.load(in, PASSWORD);
            }
        }
        var keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(own, PASSWORD);
        var context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }
}
