import { readFileSync } from 'node:fs';
import { writeContents } from './closures';
import type { Sandbox } from './sandbox';

const files = ['passwd', 'group', 'shadow', 'gshadow'] as const;
type Texts = Readonly<Record<(typeof files)[number], string>>;

/** What a machine has that people have lived on: comments, passwords, members. */
export const lived: Texts = {
  passwd: 'root:x:0:0:root:/root:/bin/bash\n# people\nalice:x:1000:1000:Alice:/home/alice:/bin/bash\n',
  group: 'root:x:0:\nadm:x:4:alice\nalice:x:1000:\n',
  shadow: 'root:$6$secret:19000:0:99999:7:::\nalice:$y$secret:19001:0:99999:7:::\n',
  gshadow: 'root:*::\nadm:*::alice\nalice:!::\n',
};

/** Gives a sandbox users, with a password each. */
export function writeAccounts(sandbox: Sandbox): void {
  const withModes = files.map((name) => {
    return [name, { file: lived[name], ...(name.endsWith('shadow') ? { mode: 0o640, gid: 42 } : {}) }] as const;
  });
  writeContents(sandbox.on('/etc'), Object.fromEntries(withModes));
}

/** What the four files hold; empty where one is missing. */
export function readAccounts(sandbox: Sandbox): Texts {
  return Object.fromEntries(files.map((name) => [name, read(sandbox.on(`/etc/${name}`))])) as Texts;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
