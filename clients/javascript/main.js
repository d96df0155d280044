// The client checks with amqplib: one line per check, see clients/README.md.

import { checkTimeoutMs, Session, Skipped, withDeadline } from './session.js';
import * as patterns from './patterns.js';
import * as reliability from './reliability.js';
import * as tls from './tls.js';

const checks = {
  'hello-world': patterns.helloWorld,
  'work-queue': patterns.workQueue,
  'publish-subscribe': patterns.publishSubscribe,
  routing: patterns.routing,
  topics: patterns.topics,
  rpc: patterns.rpc,
  'rpc-direct-reply-to': patterns.rpcDirectReplyTo,
  'publisher-confirms': reliability.publisherConfirms,
  'mandatory-returns': reliability.mandatoryReturns,
  'prefetch-fairness': reliability.prefetchFairness,
  redelivery: reliability.redelivery,
  tls: tls.server,
  'tls-client-certificate': tls.clientCertificate,
  reconnect: reliability.reconnect,
};

function report(result, name, error) {
  const reason = error ? `: ${error.message.replace(/\s+/g, ' ')}` : '';
  console.log(`${result} javascript ${name}${reason}`);
}

let current;
process.once('uncaughtException', (error) => {
  report('FAIL', current, error);
  process.exit(1); // what the later checks would say is worth nothing
});

let failed = false;
for (const [name, check] of Object.entries(checks)) {
  current = name;
  try {
    await withDeadline(checkTimeoutMs, 'the check', Session.use(check));
    report('ok', name);
  } catch (error) {
    const skipped = error instanceof Skipped;
    failed ||= !skipped;
    report(skipped ? 'skip' : 'FAIL', name, error);
  }
}
process.exit(failed ? 1 : 0);
