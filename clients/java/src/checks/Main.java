package checks;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Runs the checks, named on the command line or all of them, and prints one line for each. */
public final class Main {
    private static final String CLIENT = "java-amqp-client";
    private static final int SECONDS_PER_CHECK = 10;

    /** Raises when the broker does not do what it should. */
    interface Check {
        void run() throws Exception;
    }

    /** Says why a check cannot run here. */
    static final class Skipped extends Exception {
        private static final long serialVersionUID = 1;

        Skipped(String reason) {
            super(reason);
        }
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 2 && arguments[0].equals("--worker")) {
            Delivery.workerThatNeverAcks(arguments[1]);
        }
        var wanted = List.of(arguments);
        var failed = false;
        for (var check : checks().entrySet()) {
            if (wanted.isEmpty() || wanted.contains(check.getKey())) {
                failed |= !passes(check.getKey(), check.getValue());
            }
        }
        System.exit(failed ? 1 : 0); // a connection that was left open must not keep the process
    }

    private static Map<String, Check> checks() {
        var checks = new LinkedHashMap<String, Check>();
        checks.put("hello-world", Patterns::helloWorld);
        checks.put("work-queue", Patterns::workQueue);
        checks.put("round-robin", Patterns::roundRobin);
        checks.put("publish-subscribe", Patterns::publishSubscribe);
        checks.put("routing", Patterns::routing);
        checks.put("topics", Patterns::topics);
        checks.put("rpc", Patterns::rpc);
        checks.put("rpc-direct-reply-to", Patterns::rpcDirectReplyTo);
        checks.put("publisher-confirms", Delivery::publisherConfirms);
        checks.put("mandatory-returns", Delivery::mandatoryReturns);
        checks.put("prefetch-fairness", Delivery::prefetchFairness);
        checks.put("redelivery", Delivery::redelivery);
        checks.put("tls", Tls::server);
        checks.put("tls-client-certificate", Tls::clientCertificate);
        checks.put("reconnect", Delivery::reconnect);
        return checks;
    }

    private static boolean passes(String name, Check check) throws InterruptedException {
        var executor = Executors.newSingleThreadExecutor();
        try {
            executor.submit(() -> { check.run(); return null; }).get(SECONDS_PER_CHECK, TimeUnit.SECONDS);
            System.out.println("ok " + CLIENT + " " + name);
            return true;
        } catch (TimeoutException expired) {
            return failed(name, "not done after " + SECONDS_PER_CHECK + " s");
        } catch (ExecutionException wrapper) {
            if (wrapper.getCause() instanceof Skipped) {
                System.out.println("skip " + CLIENT + " " + name + ": " + wrapper.getCause().getMessage());
                return true;
            }
            return failed(name, rootOf(wrapper).toString());
        } finally {
            executor.shutdownNow();
        }
    }

    private static boolean failed(String name, String reason) {
        System.out.println("FAIL " + CLIENT + " " + name + ": " + reason.replaceAll("\\s+", " "));
        return false;
    }

    /** The client wraps the broker's close in an IOException without a message. */
    private static Throwable rootOf(Throwable error) {
        return error.getCause() == null ? error : rootOf(error.getCause());
    }
}
