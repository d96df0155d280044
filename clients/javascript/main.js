// The client checks with amqplib: one line per check, see clients/README.md.

import { checkTimeoutMs, Session, Skipped, withDeadline } from './session.js';
import * as patterns from './patterns.js';
import * as reliability from './reliability.js';

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
  reconnect: reliability.reconnect,
};

let failed = false;
for (const [name, check] of Object.entries(checks)) {
  try {
    await withDeadline(checkTimeoutMs, 'the check', Session.use(check));
    console.log(`ok javascript ${name}`);
  } catch (error) {
    if (error instanceof Skipped) {
      console.log(`skip javascript ${name}: ${error.message}`);
    } else {
      failed = true;
      console.log(`FAIL javascript ${name}: ${error.message.replace(/\s+/g, ' ')}`);
    }
  }
}
process.exit(failed ? 1 : 0);
