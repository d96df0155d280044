"""Publishes or takes messages, for the tests of the package: `client.py publish|take QUEUE COUNT [USER PASSWORD]`."""

import sys

import pika


def publish(channel, queue, count):
    channel.queue_declare(queue, durable=True)
    channel.confirm_delivery()
    for number in range(count):
        properties = pika.BasicProperties(delivery_mode=2)
        channel.basic_publish("", queue, str(number).encode(), properties, mandatory=True)


def take(channel, queue, count):
    for number in range(count):
        method, _, body = channel.basic_get(queue)
        if method is None or body != str(number).encode():
            sys.exit(f"message {number} of {queue}: found {body}")
        channel.basic_ack(method.delivery_tag)


def main():
    action, queue, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    user, password = sys.argv[4:6] if len(sys.argv) > 4 else ("guest", "guest")
    credentials = pika.PlainCredentials(user, password)
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", credentials=credentials))
    {"publish": publish, "take": take}[action](connection.channel(), queue, count)
    connection.close()


main()
