// Prints what the AsyncAPI parser finds in the document named by the first argument, as JSON; exits 1 on an error.
import { readFileSync } from 'node:fs';
import { Parser } from '@asyncapi/parser';

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], 'utf8'));
const found = diagnostics.map(({ code, severity, message, path }) => ({ code, severity, message, path: path.join('/') }));
console.log(JSON.stringify({
  accepted: document !== undefined,
  channels: document?.channels().all().length ?? 0,
  operations: document?.operations().all().length ?? 0,
  problems: found.filter(({ severity }) => severity <= 1),
}));
process.exit(document === undefined ? 1 : 0);
