import type { Command } from 'commander';
import type { Context } from '../context';
import { type DocumentName, documentNames, documents } from '../core/schema/documents';
import type { Run } from '../options';

/** Declares `schema`: what a document that `--json` prints looks like. */
export function declareSchema(program: Command, run: Run): void {
  program
    .command('schema')
    .summary('print the JSON Schema of a document that --json prints')
    .addArgument(program.createArgument('<name>', 'a command, or error').choices(documentNames))
    .addHelpText('after', '\nExample:\n  activate schema status')
    .action((name: DocumentName) => run((context) => print(context, name)));
}

async function print(context: Context, name: DocumentName): Promise<number> {
  const { toJsonSchema } = await import('@valibot/to-json-schema');
  const schema = toJsonSchema(documents[name], { target: 'draft-2020-12' });
  context.write(`${JSON.stringify({ ...schema, title: `activate ${name} --json` }, undefined, 1)}\n`);
  return 0;
}
