import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runActivate } from '../support/cli';
import { openNamespace, type Namespace } from '../support/namespace';

// The shells themselves complete command lines, where three generations are recorded.

let namespace: Namespace;
beforeAll(async () => {
  namespace = await openNamespace();
  for (const number of [1, 2, 10])
    mkdirSync(namespace.on(`/var/lib/activate/generations/${number}`), { recursive: true });
  mkdirSync(namespace.on('/var/home/result-dir'), { recursive: true });
  writeFileSync(namespace.on('/var/home/result file'), '');
  writeFileSync(namespace.on('/var/home/type'), typing);
  writeFileSync(namespace.on('/var/home/settings'), settings);
  for (const shell of ['bash', 'fish', 'zsh']) {
    const { status, stdout } = await runActivate(['completion', shell]);
    expect(status).toBe(0);
    writeFileSync(namespace.on(`/var/home/${shell}`), stdout);
  }
});
afterAll(async () => namespace.close());

async function run(command: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await namespace.run(command, {
    workingDirectory: '/var/home',
    environment: { HOME: '/var/home', TERM: 'dumb', NO_COLOR: '1' },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

/** What bash would offer for the last word. */
async function bash(line: string): Promise<string[]> {
  const script = `source ./bash
    IFS=' ' read -r -a COMP_WORDS <<<"$1"; [[ $1 == *' ' ]] && COMP_WORDS+=('')
    COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); compopt() { :; }
    _activate; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return (await run(['bash', '-uc', script, 'bash', line])).split('\n').filter(Boolean).toSorted();
}

async function fish(line: string): Promise<string[]> {
  const said = await run(['fish', '--no-config', '-c', 'source ./fish; complete -C $argv[1]', line]);
  const words = said.split('\n').filter(Boolean);
  return words.map((word) => word.split('\t')[0] ?? '').toSorted();
}

/** What zsh makes of the last word, typed in a terminal of its own. */
async function zsh(line: string): Promise<string[]> {
  const said = await run(['zsh', '-f', './type', line]);
  return [said.trimEnd().split(' ').at(-1) ?? ''];
}

const typing = `
  zmodload zsh/zpty
  zpty shell zsh -f -i
  zpty -w shell 'source ./settings; print -r -- rea""dy'
  zpty -r -m shell text '*ready*'
  zpty -w -n shell "$1"$'\\x18'
  zpty -r -m shell text '*@@*@@*'
  print -r -- \${\${text#*@@}%@@*}
  zpty -d shell
`;
const settings = `
  unsetopt prompt_cr prompt_sp; PS1= PS2= RPS1=
  autoload -U compinit; compinit -u -D
  source ./zsh
  look() { zle complete-word; print -r -- "@@\${BUFFER% }@@" }
  zle -N look; bindkey '^X' look
`;

const shells = { bash, fish, zsh };

describe.each(Object.entries(shells))('%s completes', (_, complete) => {
  test.each<[string, string, string[]]>([
    ['commands', 'activate sw', ['switch']],
    ['commands of commands', 'activate backups re', ['restore']],
    ['options', 'activate switch --on-d', ['--on-drift']],
    ['words of options', 'activate switch --on-drift me', ['merge']],
    ['after options with values', 'activate --log-level debug rollb', ['rollback']],
    ['generations', 'activate rollback 2', ['2']],
    ['shells', 'activate completion z', ['zsh']],
  ])('%s', async (_what, line, words) => {
    expect(await complete(line)).toEqual(words);
  });
});

test.each([
  ['bash', bash],
  ['fish', fish],
] as const)('%s completes closures and generations alike', async (_, complete) => {
  const words = await complete('activate switch ');
  expect(words.map((word) => word.replace(/\/$/u, ''))).toContain('result-dir');
  for (const number of ['1', '10', '2']) expect(words).toContain(number);
  expect((await complete('activate generate --output re')).map((word) => word.replace(/\/$/u, ''))).toEqual([
    'result-dir',
  ]);
});

test('what bash is given has nothing that shellcheck would mend', async () => {
  await run(['shellcheck', '--shell=bash', join('/var/home', 'bash')]);
});
