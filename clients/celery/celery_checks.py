"""Checks with Celery: a real worker, its results and control messages, and kombu's delayed delivery by 28 queues."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "python"))

import checks  # noqa: E402

os.environ["LEVERET_URI"] = checks.URI
os.environ["CELERY_CHECK_QUEUE"] = checks.fresh("celery")

from kombu import Connection, Exchange, Queue  # noqa: E402
from kombu.transport import native_delayed_delivery as delayed  # noqa: E402

import application  # noqa: E402

PATIENCE_S = 8
CHECK = checks.expect


WORKER = f"check-{uuid.uuid4().hex[:8]}@localhost"


@contextlib.contextmanager
def worker():
    """A worker in a process of its own, ready for tasks."""
    command = [sys.executable, "-m", "celery", "-A", "application", "worker", "--pool", "solo", "-n", WORKER]
    process = subprocess.Popen(command + ["--loglevel", "ERROR"], cwd=HERE, stdout=sys.stderr, stderr=sys.stderr)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not application.app.control.ping(destination=[WORKER], timeout=0.3):
            if time.monotonic() > deadline or process.poll() is not None:
                raise AssertionError("the worker does not answer")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def tasks():
    """Fifty tasks and their results."""
    results = [application.add.delay(number, number) for number in range(50)]
    CHECK("results", [result.get(timeout=PATIENCE_S) for result in results], [2 * n for n in range(50)])


def eta():
    """Tasks with an ETA stay unacknowledged in the worker, which raises its prefetch for them."""
    start = time.monotonic()
    late = [application.add.apply_async((1, n), countdown=1) for n in range(10)]
    early = application.add.delay(1, 1)
    CHECK("a task without ETA", early.get(timeout=PATIENCE_S), 2)
    CHECK("tasks with one", [result.get(timeout=PATIENCE_S) for result in late], [1 + n for n in range(10)])
    CHECK("waited long enough", time.monotonic() - start >= 1, True)


def retries():
    """A task that retries, and one whose message is rejected with requeue."""
    result = application.succeed_at_third_try.delay()
    CHECK("retries", result.get(timeout=PATIENCE_S), 2)
    CHECK("redelivered", application.reject_once.delay().get(timeout=PATIENCE_S), True)


def control():
    """Broadcasts reach the worker and its answers come back."""
    answers = application.app.control.inspect(destination=[WORKER], timeout=2).active_queues()
    CHECK("queues", [queue["name"] for queue in answers[WORKER]], [application.QUEUE])
    answers = application.app.control.ping(destination=[WORKER], timeout=2)
    CHECK("answers", answers, [{WORKER: {"ok": "pong"}}])


def delayed_delivery():
    """kombu's ladder of 28 classic queues holds messages for their seconds."""
    prefix = checks.fresh("ladder")
    with Connection(checks.URI) as connection:
        delayed.declare_native_delayed_delivery_exchanges_and_queues(connection, "classic", prefix)
        exchange = Exchange(checks.fresh("topic"), type="topic", auto_delete=True)
        queue = Queue(checks.fresh("delayed"), exchange, routing_key="task", auto_delete=True)
        bound = queue.bind(connection.channel())
        bound.declare()
        delayed.bind_queue_to_native_delayed_delivery_exchange(connection, queue, prefix)
        arrived = []

        def note(body, message):
            arrived.append((body, time.monotonic() - start))
            message.ack()

        with connection.Consumer(queue, callbacks=[note]):
            with connection.Producer() as producer:
                start = time.monotonic()
                for seconds in (3, 1, 2):
                    key = delayed.calculate_routing_key(seconds, "task")
                    producer.publish(seconds, exchange=delayed.level_name(27, prefix), routing_key=key)
            while len(arrived) < 3:
                connection.drain_events(timeout=PATIENCE_S)
        CHECK("order", [body for body, _ in arrived], [1, 2, 3])
        CHECK("in time", [at >= body - 0.01 for body, at in arrived], [True] * 3)
        channel = connection.channel()
        for level in range(28):
            channel.queue_delete(delayed.level_name(level, prefix))
            channel.exchange_delete(delayed.level_name(level, prefix))
        channel.exchange_delete(f"{prefix}_{delayed.CELERY_DELAYED_DELIVERY_EXCHANGE}")


def clean_up():
    """Removes what the application left."""
    with Connection(checks.URI) as connection:
        channel = connection.channel()
        channel.queue_delete(application.QUEUE)
        channel.exchange_delete(application.QUEUE)


if __name__ == "__main__":
    with worker():
        status = checks.run(
            "celery",
            [
                ("tasks", tasks),
                ("eta", eta),
                ("retries", retries),
                ("control", control),
                ("delayed-delivery", delayed_delivery),
            ],
        )
    clean_up()
    sys.exit(status)
