import assert from 'node:assert/strict';
import { exec } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { dueMs, Inbox, Session, Skipped, uniqueName, withDeadline } from './session.js';

export async function publisherConfirms() {
  await Session.use(async (session) => {
    const queue = await session.temporaryQueue();
    const routable = 100;
    const acked = [];
    for (let i = 0; i < routable; i++) acked.push(publishConfirmed(session, queue));
    acked.push(publishConfirmed(session, uniqueName('nowhere')));
    await withDeadline(dueMs, 'acks', Promise.all(acked));
    const { messageCount } = await session.channel.checkQueue(queue);
    assert.equal(messageCount, routable);
  }, { confirms: true });
}

/** Resolves with the ack and rejects with the nack of one publish. */
function publishConfirmed({ channel }, queue) {
  return new Promise((resolve, reject) => {
    channel.sendToQueue(queue, Buffer.from('x'), {}, (nacked) => (nacked ? reject(nacked) : resolve()));
  });
}

export async function mandatoryReturns() {
  await Session.use(async (session) => {
    const queue = await session.temporaryQueue();
    const events = new Inbox(); // returns and acks in the order of arrival
    session.channel.on('return', (message) => events.put(message));
    const publish = (key, body) => {
      session.channel.sendToQueue(key, Buffer.from(body), { mandatory: true }, (nacked) =>
        events.put(nacked ? 'nack' : 'ack'),
      );
    };

    const nowhere = uniqueName('nowhere');
    publish(nowhere, 'lost');
    const returned = await events.next('return');
    assert.equal(returned.fields?.replyCode, 312, 'the return comes before the ack');
    assert.equal(returned.fields.replyText, 'NO_ROUTE');
    assert.equal(returned.fields.exchange, '');
    assert.equal(returned.fields.routingKey, nowhere);
    assert.equal(returned.content.toString(), 'lost');
    assert.equal(await events.next('ack of the lost message'), 'ack');

    publish(queue, 'found');
    assert.equal(await events.next('ack of the found message'), 'ack');
    await events.expectQuiet();
  }, { confirms: true });
}

export async function prefetchFairness(session) {
  const queue = uniqueName('fair');
  await session.channel.assertQueue(queue, { durable: false });
  const workers = [await Session.open(), await Session.open()];
  try {
    const pausesMs = [30, 3];
    const counts = [0, 0];
    const tasks = 60;
    const done = new Inbox();
    for (const [i, { channel }] of workers.entries()) {
      await channel.prefetch(1);
      await channel.consume(queue, async (task) => {
        await sleep(pausesMs[i]);
        counts[i]++;
        channel.ack(task);
        done.put(i);
      });
    }
    for (let i = 0; i < tasks; i++) session.publish('', queue, 'task');
    for (let i = 0; i < tasks; i++) await done.next(`task ${i}`);
    const [slow, quick] = counts;
    assert.ok(slow > 0 && slow < quick, `the slow worker did ${slow} tasks, the quick one ${quick}`);
  } finally {
    for (const worker of workers) await worker.close();
    await session.channel.deleteQueue(queue);
  }
}

export async function redelivery(session) {
  const queue = uniqueName('redelivery');
  await session.channel.assertQueue(queue, { durable: false });
  try {
    const killed = await Session.open();
    const killedInbox = await killed.consumeManualAck(queue, 1);
    session.publish('', queue, 'task');
    const first = await killedInbox.next("the first worker's task");
    assert.equal(first.fields.redelivered, false);

    const inbox = await session.consumeManualAck(queue, 1);
    await inbox.expectQuiet();
    killed.breakConnection();
    const second = await inbox.next("the second worker's task");
    assert.equal(second.content.toString(), 'task');
    assert.equal(second.fields.redelivered, true);
    session.channel.ack(second);
  } finally {
    await session.channel.deleteQueue(queue);
  }
}

export async function reconnect(session) {
  const restart = process.env.LEVERET_RESTART;
  if (!restart) throw new Skipped('LEVERET_RESTART is not set');

  const [durable, transient] = [uniqueName('durable'), uniqueName('transient')];
  await session.channel.assertQueue(durable, { durable: true });
  await session.channel.assertQueue(transient, { durable: false });
  await promisify(exec)(restart);
  await withDeadline(dueMs, 'news of the lost connection', session.closed);

  const again = await reopen();
  try {
    await again.channel.checkQueue(durable);
    const inbox = await again.consumeAutoAck(durable);
    again.publish('', durable, 'after');
    await inbox.expectBodies('after');
    const probe = await again.newChannel();
    await assert.rejects(probe.checkQueue(transient), { code: 404 });
    await again.channel.deleteQueue(durable);
  } finally {
    await again.close();
  }
}

/** Tries until the broker is back. */
async function reopen() {
  const deadline = Date.now() + dueMs;
  for (;;) {
    try {
      return await Session.open();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(50);
    }
  }
}
