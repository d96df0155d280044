import java.io.PrintStream;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs the JUnit classes named on the command line and writes {@code pass NAME}, {@code fail NAME} or
 * {@code skip NAME} for each test to standard output. The tests' own output and the reasons go to standard error.
 */
public final class Results implements TestExecutionListener {
    private final PrintStream output;
    private TestPlan plan;

    private Results(PrintStream output) {
        this.output = output;
    }

    public static void main(String[] classes) {
        var results = new Results(System.out);
        System.setOut(System.err);
        var request = LauncherDiscoveryRequestBuilder.request();
        for (var name : classes) {
            request.selectors(DiscoverySelectors.selectClass(name));
        }
        LauncherFactory.create().execute(request.build(), results);
        System.exit(0); // a thread that a test left running must not keep the process
    }

    @Override
    public void testPlanExecutionStarted(TestPlan plan) {
        this.plan = plan;
    }

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
        report(test, "skip");
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
        switch (result.getStatus()) {
            case SUCCESSFUL:
                if (test.isTest()) {
                    report(test, "pass");
                }
                break;
            case ABORTED:
                report(test, "skip");
                break;
            case FAILED:
                System.err.println("--- " + name(test));
                result.getThrowable().ifPresent(Throwable::printStackTrace);
                report(test, "fail");
                break;
        }
    }

    /** A class that fails or is skipped as a whole does so for each of its tests. */
    private void report(TestIdentifier test, String result) {
        if (test.isTest()) {
            output.println(result + " " + name(test));
        }
        for (var child : plan.getChildren(test)) {
            if (!result.equals("pass")) {
                report(child, result);
            }
        }
    }

    /** The class below the client's (test) package, the method, and a number for each run of a parameterised one. */
    private String name(TestIdentifier test) {
        var source = test.getSource().orElse(null);
        if (!(source instanceof MethodSource)) {
            return test.getDisplayName();
        }
        var method = (MethodSource) source;
        var type = method.getClassName().replaceFirst("^com\\.rabbitmq\\.client\\.(test\\.)?", "");
        var name = type + "." + method.getMethodName();
        var last = test.getUniqueIdObject().getLastSegment();
        return last.getType().equals("test-template-invocation") ? name + last.getValue() : name;
    }
}
