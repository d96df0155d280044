// A reporter for Node's test runner: one line per test, its result and its full name.

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
      // A file that passes is no test; one that fails broke off.
      const isFile = data.name.endsWith('.test.js') && result !== 'fail';
      if (data.details?.type !== 'suite' && !isFile) yield `${result} ${path.join(' > ')}\n`;
    }
  }
}
