import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ErrorCode, exitStatuses } from '../../src/core/errors';
import { runActivate } from '../support/cli';

const readme = readFileSync(join(import.meta.dir, '../../README.md'), 'utf8');
const faults = join(import.meta.dir, '../faults');
const commandsSection = sectionOf('## Commands');

/** The text below a heading, up to the next one of the same level. */
function sectionOf(heading: string): string {
  const start = readme.indexOf(`${heading}\n`);
  if (start < 0) throw new Error(`README.md has no ${heading}`);
  const end = readme.indexOf(`\n${heading.split(' ')[0]} `, start);
  return readme.slice(start, end < 0 ? undefined : end);
}

/** Text in backquotes; in a table a bar is written with a backslash. */
function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/gu)].map(([, code = '']) => code.replaceAll(String.raw`\|`, '|'));
}

async function helpOf(...argv: readonly string[]): Promise<string> {
  const { status, stdout } = await runActivate([...argv, '--help']);
  expect(status).toBe(0);
  return stdout;
}

/** The terms on the left of a part of a help text. */
function termsIn(help: string, heading: string): string[] {
  const part = help.split('\n\n').find((each) => each.startsWith(`${heading}:\n`)) ?? '';
  return [...part.matchAll(/^ {2}(\S.*?)(?: {2,}|$)/gmu)].map(([, term = '']) => term);
}

const commands = termsIn(await helpOf(), 'Commands')
  .map((term) => term.split(' ')[0] ?? '')
  .filter((name) => name !== 'help');

describe('the README', () => {
  test.each(commands)('has the usage line of %s as the program prints it', async (command) => {
    const usage = /^Usage: (.*)$/mu.exec(await helpOf(command))?.[1] ?? '';
    expect(codeIn(commandsSection)).toContain(usage);
  });

  test('has no usage line of a command that there is not', () => {
    const named = codeIn(commandsSection).flatMap((code) => /^activate ([a-z]+) \[options\]/u.exec(code)?.[1] ?? []);
    expect(named.toSorted()).toEqual(commands.toSorted());
  });

  test.each([...commands, ''])('names the options of %s, with their arguments', async (command) => {
    const help = await (command === '' ? helpOf() : helpOf(command));
    const options = termsIn(help, 'Options').map((term) => term.replace(/^-\w, /u, ''));
    expect(options.length).toBeGreaterThan(3);
    const code = codeIn(readme).join('\n');
    expect(options.filter((option) => option !== '--help' && !code.includes(option))).toEqual([]);
  });

  test('names a test for each fault in its table, and each is there', () => {
    const section = sectionOf('## What happens when');
    const named = [...section.matchAll(/^\| [^|]+ \| [^|]+ \| (?:"(?<name>[^|]+)"|the same test) \|$/gmu)].map(
      ({ groups }) => groups?.['name'],
    );
    expect(named).toHaveLength(13);
    const tests = [...new Bun.Glob('*.test.ts').scanSync(faults)].map((file) =>
      readFileSync(join(faults, file), 'utf8'),
    );
    const isThere = (name: string): boolean => tests.some((text) => text.includes(name));
    expect(named.filter((name) => name !== undefined && !isThere(name))).toEqual([]);
  });

  test('names no option in its tables that there is not', async () => {
    const helps = await Promise.all([[], ...commands.map((each) => [each])].map((argv) => helpOf(...argv)));
    const named = codeIn(commandsSection).flatMap((code) => /^--[a-z-]+/u.exec(code)?.[0] ?? []);
    expect(named.filter((option) => !helps.some((help) => help.includes(`${option} `)))).toEqual([]);
  });

  test('has each exit status with the codes that lead to it', () => {
    const rows = [...commandsSection.matchAll(/^\| (?<status>[\d, ]+) \| (?<codes>[^|]*)\|/gmu)];
    const table = rows.flatMap(({ groups }) => {
      const codes = codeIn(groups?.['codes'] ?? '');
      return [{ status: Number(groups?.['status']), codes }];
    });
    const expected = new Map<number, ErrorCode[]>([
      [0, []],
      [1, []],
    ]);
    for (const [code, status] of Object.entries(exitStatuses) as [ErrorCode, number][])
      expected.set(status, [...(expected.get(status) ?? []), code]);
    expect(table).toEqual([...expected].map(([status, codes]) => ({ status, codes })));
  });

  test('names every exit status that `--help` names', async () => {
    const line = (await helpOf()).slice((await helpOf()).indexOf('Exit status:'));
    const statuses = [...line.matchAll(/\b\d+\b/gu)].map(([status]) => Number(status));
    expect(statuses).toEqual([...new Set([0, 1, ...Object.values(exitStatuses)])]);
  });
});
