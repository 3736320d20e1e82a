import { existsSync } from 'node:fs';
import { runProgram } from './programs';

const SOCKET = '/run/systemd/journal/socket';

/**
 * Leaves an entry in the journal of systemd; nothing where there is none.
 *
 * @param fields by the names that the journal has for them; values are one line each
 * @throws {ActivateError} `IO` where logger(1) cannot be run
 * @see systemd.journal-fields(7)
 */
export async function sendToJournal(fields: Readonly<Record<string, string>>): Promise<void> {
  if (!existsSync(SOCKET)) return;
  const lines = Object.entries(fields).map(([name, value]) => `${name}=${value.replaceAll('\n', ' ')}\n`);
  await runProgram('logger', ['--journald'], { input: lines.join('') });
}
