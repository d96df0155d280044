"""The six patterns and the delivery guarantees, with aio-pika."""

import asyncio
import logging
import subprocess
import sys
from contextlib import asynccontextmanager, suppress

import aio_pika
from aio_pika import DeliveryMode, ExchangeType, Message
from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity, DeliveryError

from checks import URI, expect, fresh, restart_broker, restart_command, run


@asynccontextmanager
async def connected(**options):
    """Opens a channel on a connection of its own."""
    connection = await aio_pika.connect(URI)
    async with connection:
        yield await connection.channel(**options)


@asynccontextmanager
async def queue_of(channel, name, **options):
    """Declares a queue that other connections can use, and deletes it afterwards."""
    queue = await channel.declare_queue(fresh(name), **options)
    try:
        yield queue
    finally:
        with suppress(AMQPError):
            await queue.delete(if_unused=False, if_empty=False)


@asynccontextmanager
async def exchange_of(channel, name, kind):
    """Declares an exchange, and deletes it afterwards."""
    exchange = await channel.declare_exchange(fresh(name), kind)
    try:
        yield exchange
    finally:
        with suppress(AMQPError):
            await exchange.delete()


async def same_queue(channel, queue):
    """Gives another channel's view of a queue."""
    return await channel.get_queue(queue.name)


async def collect(queue):
    """Consumes into a list of bodies."""
    bodies = []

    async def keep(message):
        bodies.append(message.body.decode())

    await queue.consume(keep, no_ack=True)
    return bodies


async def subscribe(channel, exchange, *keys):
    """Collects from a server-named queue bound with the given keys."""
    queue = await channel.declare_queue(exclusive=True)
    for key in keys:
        await queue.bind(exchange.name, key)
    return await collect(queue)


async def publish(channel, queue, *bodies, **properties):
    for body in bodies:
        message = Message(str(body).encode(), **properties)
        await channel.default_exchange.publish(message, queue.name)


async def until(condition):
    """Waits up to five seconds for the condition."""
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)


async def settle():
    """Waits long enough for anything unwanted to arrive."""
    await asyncio.sleep(0.3)


async def ready_count(channel, queue):
    again = await channel.declare_queue(queue.name, passive=True)
    return again.declaration_result.message_count


async def hello_world():
    async with connected() as producer, connected() as consumer:
        async with queue_of(producer, "hello") as queue:
            await publish(producer, queue, "Hello World!")
            got = await collect(await same_queue(consumer, queue))
            await until(lambda: got)
            expect("bodies", got, ["Hello World!"])


async def work(channel, queue):
    """Consumes into a list of task numbers, acknowledging each."""
    done = []

    async def task(message):
        done.append(int(message.body))
        await message.ack()

    await (await same_queue(channel, queue)).consume(task)
    return done


async def round_robin():
    """Tasks go to the workers in turn, and are gone once acknowledged."""
    async with connected() as producer, connected() as first, connected() as second:
        async with queue_of(producer, "tasks", durable=True) as queue:
            evens, odds = await work(first, queue), await work(second, queue)
            await publish(producer, queue, *range(20), delivery_mode=DeliveryMode.PERSISTENT)
            await until(lambda: len(evens) + len(odds) == 20)
            await settle()
            expect("first worker", evens, list(range(0, 20, 2)))
            expect("second worker", odds, list(range(1, 20, 2)))
            expect("messages left", await ready_count(producer, queue), 0)


async def hold(channel, queue, prefetch):
    """Consumes into a list of messages that are left unacknowledged."""
    held = []

    async def keep(message):
        held.append(message)

    await channel.set_qos(prefetch_count=prefetch)
    await (await same_queue(channel, queue)).consume(keep)
    return held


async def work_queue():
    """With prefetch 1 a busy worker is given nothing while the other does the work."""
    async with connected() as producer, connected() as busy, connected() as idle:
        async with queue_of(producer, "tasks", durable=True) as queue:
            held = await hold(busy, queue, prefetch=1)
            await publish(producer, queue, "long task")
            await until(lambda: held)
            await idle.set_qos(prefetch_count=1)
            done = await work(idle, queue)
            await publish(producer, queue, *range(10))
            await until(lambda: len(done) == 10)
            expect("idle worker", done, list(range(10)))
            expect("busy worker's tasks", len(held), 1)
            await held[0].ack()


async def publish_subscribe():
    async with connected() as producer, connected() as one, connected() as two:
        async with exchange_of(producer, "logs", ExchangeType.FANOUT) as exchange:
            got = [await subscribe(channel, exchange, "") for channel in (one, two)]
            for line in (b"first", b"second"):
                await exchange.publish(Message(line), "ignored")
            await until(lambda: all(len(lines) == 2 for lines in got))
            expect("subscribers", got, [["first", "second"]] * 2)


async def routing():
    async with connected() as producer, connected() as disk, connected() as screen:
        async with exchange_of(producer, "direct_logs", ExchangeType.DIRECT) as exchange:
            errors = await subscribe(disk, exchange, "error")
            everything = await subscribe(screen, exchange, "info", "warning", "error")
            for severity in ("info", "error", "debug", "warning"):
                await exchange.publish(Message(severity.encode()), severity, mandatory=False)
            await until(lambda: errors and len(everything) == 3)
            await settle()
            expect("bound to error", errors, ["error"])
            expect("bound to three keys", everything, ["info", "error", "warning"])


async def topics():
    published = ["kern.critical", "kern.info", "cron.critical", "kern.disk.critical", "kern", ""]
    wanted = {
        "kern.*": ["kern.critical", "kern.info"],
        "*.critical": ["kern.critical", "cron.critical"],
        "kern.#": ["kern.critical", "kern.info", "kern.disk.critical", "kern"],
        "#.critical": ["kern.critical", "cron.critical", "kern.disk.critical"],
        "#": published,
    }
    async with connected() as producer, connected() as consumer:
        async with exchange_of(producer, "topic_logs", ExchangeType.TOPIC) as exchange:
            got = {pattern: await subscribe(consumer, exchange, pattern) for pattern in wanted}
            for key in published:
                await exchange.publish(Message(key.encode()), key)
            total = sum(map(len, wanted.values()))
            await until(lambda: sum(map(len, got.values())) == total)
            await settle()
            expect("bodies by pattern", got, wanted)


async def answer(channel, queue):
    """Serves squares: replies to the request's reply-to with its correlation id."""

    async def reply(request):
        async with request.process():
            square = str(int(request.body) ** 2).encode()
            response = Message(square, correlation_id=request.correlation_id)
            await channel.default_exchange.publish(response, request.reply_to)

    await queue.consume(reply)


async def call_squares(client, queue, callback_queue):
    """Calls the server three times at once and checks the replies by correlation id."""
    replies = {}

    async def keep(message):
        replies[message.correlation_id] = int(message.body)

    await callback_queue.consume(keep, no_ack=True)
    for number in (7, 12, 30):
        await publish(
            client, queue, number, reply_to=callback_queue.name, correlation_id=f"call {number}"
        )
    await until(lambda: len(replies) == 3)
    expect("replies", replies, {"call 7": 49, "call 12": 144, "call 30": 900})


async def rpc():
    async with connected() as server, connected() as client:
        async with queue_of(server, "rpc") as queue:
            await answer(server, queue)
            await call_squares(client, queue, await client.declare_queue(exclusive=True))


async def rpc_direct_reply_to():
    async with connected() as server, connected() as client:
        async with queue_of(server, "rpc") as queue:
            await answer(server, queue)
            replies = await client.get_queue("amq.rabbitmq.reply-to", ensure=True)
            await call_squares(client, queue, replies)


async def publisher_confirms():
    """A hundred publishes in flight are all confirmed, also one that no queue takes."""
    async with connected() as channel, queue_of(channel, "confirmed", durable=True) as queue:
        answers = await asyncio.gather(
            *(
                channel.default_exchange.publish(
                    Message(b"x", delivery_mode=DeliveryMode.PERSISTENT), queue.name
                )
                for _ in range(100)
            )
        )
        expect("confirms", {type(answer).__name__ for answer in answers}, {"Ack"})
        expect("messages", await ready_count(channel, queue), 100)
        exchange = await channel.get_exchange("amq.direct")
        lost = await exchange.publish(Message(b"x"), "no such key", mandatory=False)
        expect("confirm of an unroutable message", type(lost).__name__, "Ack")


async def mandatory_returns():
    """A mandatory message that no queue takes comes back whole."""
    async with connected(on_return_raises=True) as channel:
        exchange = await channel.get_exchange("amq.direct")
        try:
            await exchange.publish(Message(b"back to me", message_id="m1"), "no such key")
        except DeliveryError as error:
            returned = error.message
            method = returned.delivery
            expect("code and text", (method.reply_code, method.reply_text), (312, "NO_ROUTE"))
            expect("target", (method.exchange, method.routing_key), ("amq.direct", "no such key"))
            properties = returned.header.properties
            expect("content", (returned.body, properties.message_id), (b"back to me", "m1"))
        else:
            raise AssertionError("the message was not returned")
        queue = await channel.declare_queue(exclusive=True)
        await publish(channel, queue, "taken")
        expect("messages", await ready_count(channel, queue), 1)


async def prefetch_fairness():
    """Each consumer holds as many unacknowledged messages as its prefetch, and no more."""
    async with connected() as producer, connected() as one, connected() as two:
        async with queue_of(producer, "prefetch") as queue:
            small, large = await hold(one, queue, prefetch=2), await hold(two, queue, prefetch=5)
            await publish(producer, queue, *range(20))
            await until(lambda: len(small) == 2 and len(large) == 5)
            await settle()
            expect("unacknowledged", [len(small), len(large)], [2, 5])
            expect("ready", await ready_count(producer, queue), 13)
            await large[2].ack(multiple=True)
            await until(lambda: len(large) == 8)
            await settle()
            expect("after three acks", [len(small), len(large)], [2, 8])


async def redelivery():
    """What a killed worker had not acknowledged goes to another, marked and in order."""
    async with connected() as channel, queue_of(channel, "tasks", durable=True) as queue:
        await publish(channel, queue, *range(3))
        worker = subprocess.Popen(
            [sys.executable, __file__, "--worker", queue.name], stdout=subprocess.PIPE
        )
        worker.stdout.readline()
        worker.kill()
        worker.wait()
        got = []

        async def keep(message):
            got.append((message.body, message.redelivered))

        await queue.consume(keep, no_ack=True)
        await until(lambda: len(got) == 3)
        expect("redelivered", got, [(b"0", True), (b"1", True), (b"2", True)])


async def worker_that_never_acks(queue_name):
    """Takes three messages, says so, and waits to be killed."""
    async with connected() as channel:
        held = await hold(channel, await channel.get_queue(queue_name), prefetch=0)
        await until(lambda: len(held) == 3)
        print("taken", flush=True)
        await asyncio.sleep(20)


async def reconnect():
    """A robust connection finds its durable queue again and consumes from it; the transient one is gone."""
    restart_command()
    connection = await aio_pika.connect_robust(URI, reconnect_interval=0.2)
    async with connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(fresh("kept"), durable=True)
        queue = await channel.declare_queue(fresh("kept"), durable=True)
        await queue.bind(exchange, "key")
        transient = await channel.declare_queue(fresh("lost"), robust=False)
        got = await collect(queue)
        reconnected = asyncio.Event()
        connection.reconnect_callbacks.add(lambda *_: reconnected.set())
        await asyncio.to_thread(restart_broker)
        await reconnected.wait()
        await expect_only_durable(exchange, queue, transient)
        await exchange.publish(Message(b"after the restart"), "key")
        await until(lambda: got)
        expect("bodies", got, ["after the restart"])
        await queue.delete(if_unused=False, if_empty=False)
        await exchange.delete()


async def expect_only_durable(exchange, queue, transient):
    async with connected() as channel:
        await channel.get_exchange(exchange.name)
        await channel.get_queue(queue.name)
        try:
            await channel.get_queue(transient.name)
            raise AssertionError("the transient queue survived")
        except ChannelNotFoundEntity:
            pass


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
    ("reconnect", reconnect),
]


def blocking(check):
    return lambda: asyncio.run(check())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        asyncio.run(worker_that_never_acks(sys.argv[2]))
    else:
        logging.disable(logging.CRITICAL)  # the report is the only output
        sys.exit(run("python-aio-pika", [(name, blocking(check)) for name, check in CHECKS]))
