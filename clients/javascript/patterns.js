import assert from 'node:assert/strict';
import { Session, uniqueName } from './session.js';

export async function helloWorld(session) {
  const queue = uniqueName('hello');
  await session.channel.assertQueue(queue, { durable: false, exclusive: true });
  const properties = {
    contentType: 'text/plain',
    correlationId: 'c-1',
    messageId: 'm-1',
    type: 'greeting',
    priority: 3,
    timestamp: 1_700_000_000,
    headers: { count: 7, nested: { yes: true } },
  };
  session.publish('', queue, 'Hello World!', properties);

  const inbox = await session.consumeAutoAck(queue);
  const { content, fields, properties: received } = await inbox.next('message');
  assert.equal(content.toString(), 'Hello World!');
  assert.equal(fields.exchange, '');
  assert.equal(fields.routingKey, queue);
  assert.equal(fields.redelivered, false);
  for (const [name, value] of Object.entries(properties)) {
    assert.deepEqual(received[name], value, name);
  }
}

export async function workQueue(session) {
  const queue = uniqueName('tasks');
  await session.channel.assertQueue(queue, { durable: true });
  const [busy, free] = [await Session.open(), await Session.open()];
  try {
    const inboxes = [await busy.consumeManualAck(queue, 1), await free.consumeManualAck(queue, 1)];
    const tasks = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];
    for (const task of tasks) session.publish('', queue, task, { persistent: true });
    await shareTasks(busy.channel, free.channel, inboxes, tasks);
  } finally {
    await busy.close();
    await free.close();
    await session.channel.deleteQueue(queue);
  }
}

/** Lets one worker be busy with its first task while the other does all the rest. */
async function shareTasks(busyChannel, freeChannel, [busy, free], tasks) {
  const long = await busy.next("the first worker's task");
  const done = [long.content.toString()];
  while (done.length < tasks.length) {
    const task = await free.next("the second worker's task");
    if (done.length === 1) await Promise.all([busy.expectQuiet(), free.expectQuiet()]);
    done.push(task.content.toString());
    freeChannel.ack(task);
  }
  busyChannel.ack(long);
  await Promise.all([busy.expectQuiet(), free.expectQuiet()]);
  assert.deepEqual(done.sort(), tasks);
}

export async function publishSubscribe(session) {
  await withExchange(session, 'fanout', async (exchange) => {
    const first = await subscribe(session, exchange, '');
    const second = await subscribe(session, exchange, '');
    session.publish(exchange, 'ignored', 'info: hello');
    await Promise.all([first.expectBodies('info: hello'), second.expectBodies('info: hello')]);
  });
}

export async function routing(session) {
  await withExchange(session, 'direct', async (exchange) => {
    const errorsOnly = await subscribe(session, exchange, 'error');
    const all = await subscribe(session, exchange, 'info', 'warning', 'error');
    for (const severity of ['info', 'error', 'debug', 'warning']) {
      session.publish(exchange, severity, severity);
    }
    await Promise.all([
      errorsOnly.expectBodies('error'),
      all.expectBodies('info', 'error', 'warning'),
    ]);
  });
}

export async function topics(session) {
  const keys = [
    'quick.orange.rabbit', 'lazy.orange.elephant', 'quick.orange.fox', 'lazy.brown.fox',
    'lazy.pink.rabbit', 'quick.brown.fox', 'orange', 'quick.orange.new.rabbit',
    'lazy.orange.new.rabbit', 'lazy',
  ];
  await withExchange(session, 'topic', async (exchange) => {
    const orange = await subscribe(session, exchange, '*.orange.*');
    const rabbitOrLazy = await subscribe(session, exchange, '*.*.rabbit', 'lazy.#');
    const everything = await subscribe(session, exchange, '#');
    for (const key of keys) session.publish(exchange, key, key);
    await Promise.all([
      orange.expectBodies('quick.orange.rabbit', 'lazy.orange.elephant', 'quick.orange.fox'),
      rabbitOrLazy.expectBodies(
        'quick.orange.rabbit', 'lazy.orange.elephant', 'lazy.brown.fox',
        'lazy.pink.rabbit', 'lazy.orange.new.rabbit', 'lazy',
      ),
      everything.expectBodies(...keys),
    ]);
  });
}

async function withExchange(session, type, run) {
  const exchange = uniqueName(type);
  await session.channel.assertExchange(exchange, type, { durable: false });
  try {
    await run(exchange);
  } finally {
    await session.channel.deleteExchange(exchange);
  }
}

/** Consumes a temporary queue that is bound with each of the keys. */
async function subscribe(session, exchange, ...keys) {
  const queue = await session.temporaryQueue();
  for (const key of keys) await session.channel.bindQueue(queue, exchange, key);
  return session.consumeAutoAck(queue);
}

export async function rpc(session) {
  await callFibonacci(session, await session.temporaryQueue());
}

export async function rpcDirectReplyTo(session) {
  await callFibonacci(session, 'amq.rabbitmq.reply-to');
}

/** Sends two requests at once and matches the replies by correlation id. */
async function callFibonacci(session, replyTo) {
  const requests = uniqueName('rpc');
  await Session.use(async (server) => {
    await server.channel.assertQueue(requests, { durable: false, autoDelete: true });
    await serveFibonacci(server, requests);

    const replies = await session.consumeAutoAck(replyTo);
    for (const n of ['10', '20']) {
      session.publish('', requests, n, { correlationId: `fib-${n}`, replyTo });
    }
    const results = {};
    for (let i = 0; i < 2; i++) {
      const { content, properties } = await replies.next('reply');
      results[properties.correlationId] = content.toString();
    }
    assert.deepEqual(results, { 'fib-10': '55', 'fib-20': '6765' });
    await replies.expectQuiet();
  });
}

async function serveFibonacci({ channel }, queue) {
  await channel.prefetch(1);
  await channel.consume(queue, (request) => {
    if (request === null) return; // the queue is gone
    const { replyTo, correlationId } = request.properties;
    const result = fibonacci(Number(request.content.toString()));
    channel.sendToQueue(replyTo, Buffer.from(String(result)), { correlationId });
    channel.ack(request);
  });
}

function fibonacci(n) {
  let [a, b] = [0, 1];
  for (; n > 0; n--) [a, b] = [b, a + b];
  return a;
}
