import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import amqp from 'amqplib';

export const checkTimeoutMs = 10_000;
/** A message that is due arrives within this time. */
export const dueMs = 5_000;
/** A message that must not arrive has not come after this time. */
const quietMs = 200;

const uri = process.env.LEVERET_URI || 'amqp://guest:guest@127.0.0.1:5672/%2f';

/** What this run cannot check. */
export class Skipped extends Error {}

/** Rejects when a promise has not settled in time. */
export async function withDeadline(limitMs, what, promise) {
  const controller = new AbortController();
  const late = sleep(limitMs, undefined, { signal: controller.signal }).then(() => {
    throw new Error(`${what}: not within ${limitMs} ms`);
  });
  late.catch(() => {}); // the promise came first
  try {
    return await Promise.race([promise, late]);
  } finally {
    controller.abort();
  }
}

/** A name that no other run uses. */
export function uniqueName(purpose) {
  return `checks.javascript.${purpose}.${randomBytes(6).toString('hex')}`;
}

/** One connection with one channel, in confirm mode when asked. */
export class Session {
  static async open({ confirms = false } = {}) {
    const session = new Session();
    session.connection = await amqp.connect(uri);
    session.connection.on('error', () => {}); // a broken connection shows in the operation that needs it
    session.closed = new Promise((resolve) => session.connection.on('close', resolve));
    session.channel = await session.newChannel(confirms);
    return session;
  }

  /** Runs a function with a session that is closed afterwards. */
  static async use(run, options) {
    const session = await Session.open(options);
    try {
      return await run(session);
    } finally {
      await session.close();
    }
  }

  async newChannel(confirms = false) {
    const channel = confirms
      ? await this.connection.createConfirmChannel()
      : await this.connection.createChannel();
    channel.on('error', () => {}); // likewise
    return channel;
  }

  async close() {
    try {
      // The client writes what channels still hold after connection.close, so the channel goes first.
      await this.channel.close();
      await this.connection.close();
    } catch {
      this.breakConnection(); // the check has lost it already
    }
  }

  /** Closes the socket under the connection, as a killed process does. */
  breakConnection() {
    this.connection.connection.stream.destroy();
  }

  /** Declares a server-named exclusive queue. */
  async temporaryQueue() {
    const { queue } = await this.channel.assertQueue('', { exclusive: true, durable: false });
    return queue;
  }

  /** Sends a text; an empty exchange is the default one. */
  publish(exchange, key, body, properties) {
    this.channel.publish(exchange, key, Buffer.from(body), properties);
  }

  async consumeAutoAck(queue) {
    const inbox = new Inbox();
    await this.channel.consume(queue, (message) => inbox.put(message), { noAck: true });
    return inbox;
  }

  async consumeManualAck(queue, prefetch) {
    const inbox = new Inbox();
    await this.channel.prefetch(prefetch);
    await this.channel.consume(queue, (message) => inbox.put(message));
    return inbox;
  }
}

/** What has arrived and was not looked at: deliveries, returns, confirms. */
export class Inbox {
  #items = [];
  #arrived = () => {};

  put(item) {
    this.#items.push(item);
    this.#arrived();
  }

  /** The next item, which is due. */
  async next(what) {
    if (this.#items.length === 0) {
      await withDeadline(dueMs, what, new Promise((resolve) => (this.#arrived = resolve)));
    }
    return this.#items.shift();
  }

  /** Receives exactly these bodies in this order, then nothing more. */
  async expectBodies(...bodies) {
    for (const body of bodies) {
      const message = await this.next(`message ${body}`);
      assert.equal(message.content.toString(), body);
    }
    await this.expectQuiet();
  }

  async expectQuiet() {
    await sleep(quietMs);
    assert.deepEqual(this.#items.map((item) => item?.content?.toString()), []);
  }
}
