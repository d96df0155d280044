// Connections over TLS.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import amqp from 'amqplib';
import { Skipped } from './session.js';

async function overTls(options) {
  const uri = process.env.LEVERET_TLS_URI;
  const files = process.env.LEVERET_TLS_FILES;
  if (!uri || !files) throw new Skipped('LEVERET_TLS_URI and LEVERET_TLS_FILES are not set');
  const read = (name) => readFileSync(join(files, name));
  const connection = await amqp.connect(uri, { ca: [read('ca.pem')], ...options(read) });
  try {
    const channel = await connection.createChannel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    const body = Buffer.alloc(1 << 20, 7);
    channel.sendToQueue(queue, body);
    const received = await new Promise((resolve) => channel.consume(queue, resolve, { noAck: true }));
    assert.ok(received.content.equals(body), 'the body came back as it was sent');
  } finally {
    await connection.close();
  }
}

/** With a password, to a server whose certificate is checked. */
export const server = () => overTls(() => ({}));

/** The client shows a certificate, which names its user. */
export const clientCertificate = () =>
  overTls((read) => ({
    cert: read('client.pem'),
    key: read('client.key'),
    credentials: amqp.credentials.external(),
  }));
