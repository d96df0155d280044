// A reporter for Node's test runner: one line per test, its result and its full name.

import { basename } from 'node:path';

export default async function* report(events) {
  const path = [];
  for await (const { type, data } of events) {
    if (type === 'test:start') {
      path.length = data.nesting;
      path[data.nesting] = data.name;
    } else if (type === 'test:pass' || type === 'test:fail') {
      path.length = data.nesting + 1;
      const skipped = data.skip !== undefined || data.todo !== undefined;
      const result = skipped ? 'skip' : type.slice('test:'.length);
      if (data.name.endsWith('.test.js')) {
        // A file that passes is no test; one that fails broke off.
        if (result === 'fail') yield `fail ${basename(data.name)}\n`;
      } else if (data.details?.type !== 'suite') {
        yield `${result} ${path.join(' > ')}\n`;
      }
    }
  }
}
