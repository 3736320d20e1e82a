import { join } from 'node:path';
import type { Finished, Namespace } from './namespace';

/** The /etc of a NixOS-shaped closure: names below /etc, and what is there. */
export interface ClosureSpec {
  /** Tells closures apart that have the same /etc. */
  readonly label: string;
  readonly files: Readonly<Record<string, ClosureFile>>;
}

/** What NixOS makes of one `environment.etc` entry. */
type ClosureFile =
  /** A link to a store file; with `mode` also the sidecars that ask for a copy. Owners are `+0` numbers or names. */
  | { readonly text: string; readonly mode?: string; readonly uid?: string; readonly gid?: string }
  /** A `direct-symlink`: the path becomes a link with this very text. */
  | { readonly link: string }
  /** A link to a directory in the store, as `systemd/system` is. */
  | { readonly storeDirectory: Readonly<Record<string, string>> };

/** Two closures with a bit of everything; between them every kind of entry appears, disappears and changes. */
export const nixosClosures: { readonly a: ClosureSpec; readonly b: ClosureSpec } = {
  a: {
    label: 'a',
    files: {
      hosts: { text: '127.0.0.1 localhost\n' },
      motd: { text: 'Welcome to generation A\n' },
      'nixos/version': { text: 'a\n' },
      'profile.d/gone.sh': { text: 'export GONE=1\n' },
      'pam.d/login': { text: 'auth required pam_unix.so\n' },
      'sudoers.d/admins': { text: '%wheel ALL=(ALL) ALL\n', mode: '0440' },
      'secrets/token': { text: 'a secret\n', mode: '0400', uid: '+1', gid: '+1' },
      'named-owner': { text: 'of a daemon\n', mode: '0640', uid: 'root', gid: 'daemon' },
      localtime: { link: '/usr/share/zoneinfo/Europe/Berlin' },
      'os-release': { link: '../usr/lib/os-release' },
      'link-then-copy': { text: 'A\n' },
      'with space': { text: 'A\n' },
      'systemd/system': { storeDirectory: { 'a.service': '[Service]\nExecStart=/bin/true\n' } },
    },
  },
  b: {
    label: 'b',
    files: {
      hosts: { text: '127.0.0.1 localhost\n::1 localhost\n' },
      motd: { text: 'Welcome to generation B\n' },
      'nixos/version': { text: 'b\n' },
      'profile.d/new.sh': { text: 'export NEW=1\n' },
      'pam.d/login': { text: 'auth required pam_unix.so\n' },
      'sudoers.d/admins': { text: '%wheel ALL=(ALL) NOPASSWD: ALL\n', mode: '0440' },
      'secrets/token': { text: 'another secret\n', mode: '0440', uid: '+1', gid: '+0' },
      localtime: { link: '/usr/share/zoneinfo/UTC' },
      'os-release': { link: '../usr/lib/os-release' },
      'link-then-copy': { text: 'B\n', mode: '0600' },
      'with space': { text: 'B\n' },
      'deeply/nested/new/file': { text: 'new\n' },
      'systemd/system': {
        storeDirectory: {
          'a.service': '[Service]\nExecStart=/bin/false\n',
          'b.service': '[Service]\nExecStart=/bin/true\n',
        },
      },
    },
  },
};

/** A Nix expression for a whole NixOS-shaped system; `closure.nix` beside this file is what makes it. */
export function etcClosureExpression(spec: ClosureSpec): string {
  const maker = join(import.meta.dir, 'closure.nix');
  return `import (/. + ${nixString(maker)}) (builtins.fromJSON ${nixString(JSON.stringify(spec))})`;
}

/** Builds an expression in a namespace, offline and without nixpkgs; the store path of what came out. */
export async function buildNixClosure(namespace: Namespace, expression: string): Promise<string> {
  const { status, stdout, stderr } = await namespace.run(['nix-build', '--no-out-link', '-'], {
    input: expression,
    environment: nixEnvironment,
  });
  if (status !== 0) throw new Error(`nix-build: status ${status}\n${stderr}`);
  return stdout.trim();
}

/** Deletes what no gc root protects. */
export async function collectNixGarbage(namespace: Namespace): Promise<Finished> {
  return namespace.run(['nix-collect-garbage'], { environment: nixEnvironment });
}

/** Nix as root without build users, in a store that nobody else has. */
const nixEnvironment = { NIX_CONFIG: 'build-users-group =\nsandbox = false\nsubstituters =\n' };

function nixString(text: string): string {
  const escaped = text.replaceAll(/[\\"]|\$(?=\{)/gu, String.raw`\$&`);
  return `"${escaped}"`;
}
