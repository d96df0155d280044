"""The six patterns and the delivery guarantees, with pika's blocking connection."""

import os
import ssl
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker, ConnectionClosedByBroker, UnroutableError

from checks import URI, Skipped, expect, fresh, restart_broker, restart_command, run

PARAMETERS = pika.URLParameters(URI)
# A token that expires while a check runs: an expiry is a whole second, so that it may have one less.
SHORT_LIFE_S = 3


@contextmanager
def connected():
    """Opens a channel on a connection of its own."""
    connection = pika.BlockingConnection(PARAMETERS)
    try:
        yield connection.channel()
    finally:
        with suppress(AMQPError):
            connection.close()


@contextmanager
def queue_of(channel, name, **options):
    """Declares a queue that other connections can use, and deletes it afterwards."""
    queue = fresh(name)
    channel.queue_declare(queue, **options)
    try:
        yield queue
    finally:
        with suppress(AMQPError):
            channel.queue_delete(queue)


@contextmanager
def exchange_of(channel, name, kind):
    """Declares an exchange, and deletes it afterwards."""
    exchange = fresh(name)
    channel.exchange_declare(exchange, kind)
    try:
        yield exchange
    finally:
        with suppress(AMQPError):
            channel.exchange_delete(exchange)


def exclusive_queue(channel, exchange, *keys):
    """Binds a server-named queue with the given keys."""
    queue = channel.queue_declare("", exclusive=True).method.queue
    for key in keys:
        channel.queue_bind(queue, exchange, key)
    return queue


def collect(channel, queue, auto_ack=True):
    """Consumes into a list of bodies."""
    bodies = []
    channel.basic_consume(queue, lambda _c, _m, _p, body: bodies.append(body.decode()), auto_ack)
    return bodies


def serve(channels, until, seconds=5):
    """Runs the callbacks of all channels until the condition holds."""
    deadline = time.monotonic() + seconds
    while not until():
        if time.monotonic() > deadline:
            return
        for channel in channels:
            channel.connection.process_data_events(time_limit=0.01)


def settle(*channels, seconds=0.3):
    """Runs the callbacks long enough for anything unwanted to arrive."""
    serve(channels, lambda: False, seconds)


def ready_count(channel, queue):
    return channel.queue_declare(queue, passive=True).method.message_count


def hello_world():
    with connected() as producer, connected() as consumer:
        with queue_of(producer, "hello") as queue:
            producer.basic_publish("", queue, "Hello World!")
            got = collect(consumer, queue)
            serve([consumer], lambda: got)
            expect("bodies", got, ["Hello World!"])


def round_robin():
    """Tasks go to the workers in turn, and are gone once acknowledged."""
    with connected() as producer, connected() as first, connected() as second:
        with queue_of(producer, "tasks", durable=True) as queue:
            done = {first: [], second: []}

            def work(channel, method, _properties, body):
                done[channel].append(int(body))
                channel.basic_ack(method.delivery_tag)

            for worker in done:
                worker.basic_consume(queue, work)
            for task in range(20):
                producer.basic_publish("", queue, str(task), pika.BasicProperties(delivery_mode=2))
            serve(done, lambda: len(done[first]) + len(done[second]) == 20)
            settle(*done)
            expect("first worker", done[first], list(range(0, 20, 2)))
            expect("second worker", done[second], list(range(1, 20, 2)))
            expect("messages left", ready_count(producer, queue), 0)


def work_queue():
    """With prefetch 1 a busy worker is given nothing while the other does the work."""
    with connected() as producer, connected() as busy, connected() as idle:
        with queue_of(producer, "tasks", durable=True) as queue:
            held, done = [], []
            busy.basic_qos(prefetch_count=1)
            busy.basic_consume(queue, lambda _c, method, _p, _b: held.append(method.delivery_tag))
            producer.basic_publish("", queue, "long task")
            serve([busy], lambda: held)

            def work(channel, method, _properties, body):
                done.append(int(body))
                channel.basic_ack(method.delivery_tag)

            idle.basic_qos(prefetch_count=1)
            idle.basic_consume(queue, work)
            for task in range(10):
                producer.basic_publish("", queue, str(task))
            serve([busy, idle], lambda: len(done) == 10)
            expect("idle worker", done, list(range(10)))
            expect("busy worker's tasks", len(held), 1)
            busy.basic_ack(held[0])


def publish_subscribe():
    with connected() as producer, connected() as one, connected() as two:
        with exchange_of(producer, "logs", "fanout") as exchange:
            got = [collect(c, exclusive_queue(c, exchange, "")) for c in (one, two)]
            for line in ("first", "second"):
                producer.basic_publish(exchange, "ignored", line)
            serve([one, two], lambda: all(len(lines) == 2 for lines in got))
            expect("subscribers", got, [["first", "second"]] * 2)


def routing():
    with connected() as producer, connected() as disk, connected() as screen:
        with exchange_of(producer, "direct_logs", "direct") as exchange:
            errors = collect(disk, exclusive_queue(disk, exchange, "error"))
            everything = collect(
                screen, exclusive_queue(screen, exchange, "info", "warning", "error")
            )
            for severity in ("info", "error", "debug", "warning"):
                producer.basic_publish(exchange, severity, severity)
            serve([disk, screen], lambda: errors and len(everything) == 3)
            settle(disk, screen)
            expect("bound to error", errors, ["error"])
            expect("bound to three keys", everything, ["info", "error", "warning"])


def topics():
    published = [
        "quick.orange.rabbit",
        "lazy.orange.elephant",
        "quick.brown.fox",
        "lazy.pink.rabbit",
        "orange",
        "lazy",
        "lazy.orange.new.rabbit",
    ]
    wanted = {
        "*.orange.*": ["quick.orange.rabbit", "lazy.orange.elephant"],
        "lazy.#": [
            "lazy.orange.elephant",
            "lazy.pink.rabbit",
            "lazy",
            "lazy.orange.new.rabbit",
        ],
        "#": published,
    }
    with connected() as producer, connected() as consumer:
        with exchange_of(producer, "topic_logs", "topic") as exchange:
            got = {
                pattern: collect(consumer, exclusive_queue(consumer, exchange, pattern))
                for pattern in wanted
            }
            for key in published:
                producer.basic_publish(exchange, key, key)
            total = sum(map(len, wanted.values()))
            serve([consumer], lambda: sum(map(len, got.values())) == total)
            settle(consumer)
            expect("bodies by pattern", got, wanted)


def answer(channel, queue):
    """Serves squares: replies to the request's reply-to with its correlation id."""

    def reply(channel, method, properties, body):
        channel.basic_publish(
            "",
            properties.reply_to,
            str(int(body) ** 2),
            pika.BasicProperties(correlation_id=properties.correlation_id),
        )
        channel.basic_ack(method.delivery_tag)

    channel.basic_qos(prefetch_count=1)
    channel.basic_consume(queue, reply)


def call_squares(client, server, queue, reply_to):
    """Calls the server three times and checks the replies by correlation id."""
    replies = {}

    def keep(_channel, _method, properties, body):
        replies[properties.correlation_id] = int(body)

    client.basic_consume(reply_to, keep, auto_ack=True)
    for number in (7, 12, 30):
        properties = pika.BasicProperties(reply_to=reply_to, correlation_id=f"call {number}")
        client.basic_publish("", queue, str(number), properties)
    serve([server, client], lambda: len(replies) == 3)
    expect("replies", replies, {"call 7": 49, "call 12": 144, "call 30": 900})


def rpc():
    with connected() as server, connected() as client:
        with queue_of(server, "rpc") as queue:
            answer(server, queue)
            reply_to = client.queue_declare("", exclusive=True).method.queue
            call_squares(client, server, queue, reply_to)


def rpc_direct_reply_to():
    with connected() as server, connected() as client:
        with queue_of(server, "rpc") as queue:
            answer(server, queue)
            call_squares(client, server, queue, "amq.rabbitmq.reply-to")


def publisher_confirms():
    """Every publish is confirmed, also one that no queue takes, and what is confirmed is in the queue."""
    with connected() as channel, queue_of(channel, "confirmed", durable=True) as queue:
        channel.confirm_delivery()
        persistent = pika.BasicProperties(delivery_mode=2)
        for number in range(50):
            channel.basic_publish("", queue, str(number), persistent)
        channel.basic_publish("amq.direct", "no such key", "lost", persistent)
        expect("messages", ready_count(channel, queue), 50)


def mandatory_returns():
    """A mandatory message that no queue takes comes back whole."""
    with connected() as channel:
        channel.confirm_delivery()
        try:
            channel.basic_publish(
                "amq.direct",
                "no such key",
                "back to me",
                pika.BasicProperties(message_id="m1"),
                mandatory=True,
            )
        except UnroutableError as error:
            (message,) = error.messages
            method = message.method
            expect("code and text", (method.reply_code, method.reply_text), (312, "NO_ROUTE"))
            expect("target", (method.exchange, method.routing_key), ("amq.direct", "no such key"))
            expect("content", (message.body, message.properties.message_id), (b"back to me", "m1"))
        else:
            raise AssertionError("the message was not returned")
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.basic_publish("", queue, "taken", mandatory=True)
        expect("messages", ready_count(channel, queue), 1)


def prefetch_fairness():
    """Each consumer holds as many unacknowledged messages as its prefetch, and no more."""
    with connected() as producer, connected() as small, connected() as large:
        with queue_of(producer, "prefetch") as queue:
            held = {small: [], large: []}

            def hold(channel, method, _properties, _body):
                held[channel].append(method.delivery_tag)

            for channel, count in ((small, 2), (large, 5)):
                channel.basic_qos(prefetch_count=count)
                channel.basic_consume(queue, hold)
            for number in range(20):
                producer.basic_publish("", queue, str(number))
            serve(held, lambda: len(held[small]) == 2 and len(held[large]) == 5)
            settle(*held)
            expect("unacknowledged", [len(tags) for tags in held.values()], [2, 5])
            expect("ready", ready_count(producer, queue), 13)
            large.basic_ack(held[large][2], multiple=True)
            serve(held, lambda: len(held[large]) == 8)
            settle(*held)
            expect("after three acks", [len(tags) for tags in held.values()], [2, 8])


def redelivery():
    """What a killed worker had not acknowledged goes to another, marked and in order."""
    with connected() as channel, queue_of(channel, "tasks", durable=True) as queue:
        for number in range(3):
            channel.basic_publish("", queue, str(number))
        worker = subprocess.Popen(
            [sys.executable, __file__, "--worker", queue], stdout=subprocess.PIPE
        )
        worker.stdout.readline()
        worker.kill()
        worker.wait()
        got = []

        def keep(_channel, method, _properties, body):
            got.append((body, method.redelivered))

        channel.basic_consume(queue, keep, auto_ack=True)
        serve([channel], lambda: len(got) == 3)
        expect("redelivered", got, [(b"0", True), (b"1", True), (b"2", True)])


def worker_that_never_acks(queue):
    """Takes three messages, says so, and waits to be killed."""
    with connected() as channel:
        taken = []
        channel.basic_consume(queue, lambda _c, _m, _p, body: taken.append(body))
        serve([channel], lambda: len(taken) == 3, seconds=8)
        print("taken", flush=True)
        settle(channel, seconds=20)


def reconnect():
    """Durable exchange, queue and binding survive a killed broker; transient ones do not."""
    restart_command()
    exchange, queue, transient = fresh("kept"), fresh("kept"), fresh("lost")
    with connected() as channel:
        channel.exchange_declare(exchange, "direct", durable=True)
        channel.queue_declare(queue, durable=True)
        channel.queue_bind(queue, exchange, "key")
        channel.queue_declare(transient)
        restart_broker()
        expect_lost(channel)
    await_broker()
    with connected() as channel:
        try:
            channel.queue_declare(queue, passive=True)
            channel.basic_publish(exchange, "key", "after the restart")
            got = collect(channel, queue)
            serve([channel], lambda: got)
            expect("bodies", got, ["after the restart"])
        finally:
            channel.queue_delete(queue)
            channel.exchange_delete(exchange)
        try:
            channel.queue_declare(transient, passive=True)
            raise AssertionError("the transient queue survived")
        except ChannelClosedByBroker as error:
            expect("reply code", error.reply_code, 404)


def expect_lost(channel):
    try:
        settle(channel, seconds=2)
    except AMQPError:
        return
    raise AssertionError("the connection outlived the broker")


def await_broker():
    """Waits until the broker accepts connections."""
    while True:
        try:
            return pika.BlockingConnection(PARAMETERS).close()
        except AMQPError:
            time.sleep(0.1)


def over_tls(*, shows_certificate):
    """Exchanges a message over TLS with a server whose certificate is checked."""
    uri, files = os.environ.get("LEVERET_TLS_URI"), os.environ.get("LEVERET_TLS_FILES")
    if not uri or not files:
        raise Skipped("LEVERET_TLS_URI and LEVERET_TLS_FILES are not set")
    parameters = pika.URLParameters(uri)
    context = ssl.create_default_context(cafile=f"{files}/ca.pem")
    if shows_certificate:
        context.load_cert_chain(f"{files}/client.pem", f"{files}/client.key")
        parameters.credentials = pika.credentials.ExternalCredentials()
    parameters.ssl_options = pika.SSLOptions(context, parameters.host)
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    body = bytes(1 << 20)
    channel.basic_publish("", queue, body)
    _, _, received = next(channel.consume(queue, auto_ack=True, inactivity_timeout=5))
    expect("the body that came back", received == body, True)
    connection.close()


def tls():
    """With a password."""
    over_tls(shows_certificate=False)


def tls_client_certificate():
    """The client shows a certificate, which names its user."""
    over_tls(shows_certificate=True)


def token(life_s):
    """Asks the issuer for a token that expires in so many seconds."""
    issuer = os.environ.get("LEVERET_ISSUER")
    if not issuer:
        raise Skipped("LEVERET_ISSUER is not set")
    with urllib.request.urlopen(f"{issuer}/token?life_s={life_s}") as answer:
        return answer.read().decode()


@contextmanager
def with_token(life_s):
    """Connects with a token as the password."""
    parameters = pika.URLParameters(URI)
    parameters.credentials = pika.PlainCredentials("whoever", token(life_s))
    connection = pika.BlockingConnection(parameters)
    try:
        yield connection
    finally:
        with suppress(AMQPError):
            connection.close()


def exchange_message(connection):
    """Sends a message to a queue of the connection and gets it back."""
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.basic_publish("", queue, b"x")
    _, _, body = next(channel.consume(queue, auto_ack=True, inactivity_timeout=5))
    expect("the body that came back", body, b"x")
    channel.close()


def stay(connection, seconds):
    """Stays connected for as long; pika says when the server closes the connection."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        connection.process_data_events(time_limit=0.1)


def token_login():
    """A token is a password."""
    with with_token(600) as connection:
        exchange_message(connection)


def token_expiry():
    """The server closes the connection when the token expires."""
    with with_token(SHORT_LIFE_S) as connection:
        exchange_message(connection)
        try:
            stay(connection, 8)
        except ConnectionClosedByBroker as closed:
            expect("the code", closed.reply_code, 320)
            return
        raise AssertionError("still open after the token expired")


def token_refresh():
    """connection.update-secret brings a token that takes the place of the one that expires."""
    with with_token(SHORT_LIFE_S) as connection:
        connection.update_secret(token(600), "the old one expires")
        stay(connection, SHORT_LIFE_S + 1)
        exchange_message(connection)


CHECKS = [
    ("hello-world", hello_world),
    ("work-queue", work_queue),
    ("round-robin", round_robin),
    ("publish-subscribe", publish_subscribe),
    ("routing", routing),
    ("topics", topics),
    ("rpc", rpc),
    ("rpc-direct-reply-to", rpc_direct_reply_to),
    ("publisher-confirms", publisher_confirms),
    ("mandatory-returns", mandatory_returns),
    ("prefetch-fairness", prefetch_fairness),
    ("redelivery", redelivery),
    ("tls", tls),
    ("tls-client-certificate", tls_client_certificate),
    ("token-login", token_login),
    ("token-expiry", token_expiry),
    ("token-refresh", token_refresh),
    ("reconnect", reconnect),
]

if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker_that_never_acks(sys.argv[2])
    else:
        sys.exit(run("python-pika", CHECKS))
