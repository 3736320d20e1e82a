import * as v from 'valibot';
import { type DocumentName, documentNames, documents } from '../../src/core/schema/documents';

/** The document that a command line with `--json` prints, by the words that are in it. */
function nameOf(argv: readonly string[], document: object): DocumentName | undefined {
  if ('error' in document) return 'error';
  const words = argv.filter((word) => !word.startsWith('-'));
  const verb = words.find((word) => verbs.has(word));
  if (verb === 'backups') {
    const below = words[words.indexOf('backups') + 1] ?? '';
    return documentNames.find((name) => name === `backups-${below}`) ?? 'backups';
  }
  if (verb !== undefined && switching.has(verb)) return argv.includes('--dry-run') ? 'diff' : 'switch';
  return documentNames.find((name) => name === verb);
}

const switching = new Set(['switch', 'test', 'boot', 'rollback']);
const verbs = new Set<string>([...documentNames, ...switching]);

/** Makes sure that what a command printed is what `activate schema` says, to the last member. */
export function insistOnDocument(argv: readonly string[], stdout: string): void {
  if (!argv.includes('--json') || argv.includes('--help') || argv.includes('schema') || stdout === '') return;
  const document = JSON.parse(stdout) as object;
  const name = nameOf(argv, document);
  if (name === undefined) throw new Error(`no document is known for ${argv.join(' ')}`);
  const { success, issues } = v.safeParse(documents[name], document);
  if (success) return;
  const said = issues.map((issue) => `${v.getDotPath(issue) ?? 'the document'}: ${issue.message}`);
  throw new Error(`${argv.join(' ')}: not as \`activate schema ${name}\` says: ${said.join('; ')}\n${stdout}`);
}
