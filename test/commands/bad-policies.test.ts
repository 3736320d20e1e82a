import { describe, expect, test } from 'bun:test';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { activateOn } from '../support/cli';
import { writeClosure } from '../support/closures';
import { refusalOf } from '../support/refusals';
import { withSandbox } from '../support/sandbox';

/** Every kind of mistake, as the closure's own policy and as a file that is named. */
describe('a policy', () => {
  test.each<[string, string, string, string]>([
    ['that is no TOML', 'schema = 1\nroots =\n', 'it is not TOML: line 2, column 8', 'Mend that line.'],
    ['with an unknown key', 'schema = 1\nroot = ["/etc"]\n', 'root: there is no such key', 'Did you mean roots?'],
    ['of a newer schema', 'schema = 2\n', 'written for a newer activate (schema 2; this one', 'Use a newer activate.'],
    ['of a schema that is none', 'schema = "1"\n', 'schema: "1" is not allowed', 'Allowed is 1.'],
    ['without a schema', '', 'it has no schema', 'Begin it with schema = 1.'],
    ['with / as a root', 'schema = 1\nroots = ["/"]\n', 'roots: / is never a root: /proc is in it', 'No root is, or '],
    ['with the stores as a root', 'schema = 1\nroots = ["/nix"]\n', 'roots: /nix is never a root', 'No root is, or '],
    ['with its own records as a root', 'schema = 1\nroots = ["/var"]\n', 'roots: /var is never a root', 'No root is, '],
    [
      'with a root that is no path',
      'schema = 1\nroots = ["etc"]\n',
      'roots: "etc" is no root',
      'Write an absolute path',
    ],
    [
      'with roots in each other',
      'schema = 1\nroots = ["/etc", "/etc/x"]\n',
      'roots: /etc/x and /etc lie in',
      'Name the',
    ],
    [
      'with an empty rule',
      'schema = 1\n[[path]]\n',
      'path[1].match (the table at line 2): it is missing',
      'Write e.g.',
    ],
    [
      'with a word that is none',
      'schema = 1\n[[path]]\nmatch = "/etc/x"\non-drift = "melt"\n',
      'path[1].on-drift (the table at line 2): "melt" is not allowed',
      'Allowed is "backup", "refuse", "keep" or "merge".',
    ],
    [
      'with a mode that is none',
      'schema = 1\n[[path]]\nmatch = "/etc/x"\nmode = "rw"\n',
      'path[1].mode (the table at line 2): "rw" is not allowed',
      'Allowed is three or four octal digits in quotes, e.g. "0440".',
    ],
    [
      'with a user that is not there',
      'schema = 1\n\n[[path]]\nmatch = "/etc/x"\nowner = "ghost"\n',
      ':3: path[1]: there is no user or group "ghost"',
      'Create it first, or write its number.',
    ],
    [
      'with a file that is to be a link of its own',
      'schema = 1\n[[path]]\nmatch = "/etc/x"\nplace = "direct"\n',
      ':2: path[1], for /etc/x: a regular file cannot be placed direct: it has no link text',
      'Use link, copy or seed.',
    ],
  ])('%s', async (_, text, message, hint) => {
    await withSandbox(async (sandbox) => {
      const [own, plain] = ['own', 'plain'].map((name) => writeClosure(sandbox, name, { 'etc/x': 'x\n' }));
      writeFileSync(`${own}/activation.toml`, text);
      writeFileSync(sandbox.on('/policy.toml'), text);
      const asOwn = await refusalOf(sandbox, 65, ['switch', own ?? '']);
      const asNamed = await refusalOf(sandbox, 65, ['switch', plain ?? '', '--policy', 'policy.toml']);
      expect(asOwn.path).toStartWith(`${own}/activation.toml`);
      expect(asNamed.path).toStartWith(sandbox.on('/policy.toml'));
      for (const said of [asOwn, asNamed]) {
        expect(`${said.path.replace(/^.*\.toml/u, '')}: ${said.message}`).toContain(message);
        expect(said.hint).toStartWith(hint);
      }
    });
  });

  test('that is not there', async () => {
    await withSandbox(async (sandbox) => {
      writeClosure(sandbox, 'a', { 'etc/x': 'x\n' });
      mkdirSync(sandbox.on('/directory'));
      for (const name of ['none', 'directory', 'closures/a/etc/x/y']) {
        expect(await refusalOf(sandbox, 65, ['switch', 'closures/a', '--policy', name])).toEqual({
          path: sandbox.on(name),
          message: 'there is no such policy file',
          hint: 'Name a TOML or JSON file with --policy.',
        });
      }
    });
  });

  test('in a closure that is no regular file is not passed over', async () => {
    await withSandbox(async (sandbox) => {
      const [linked, filled] = ['linked', 'filled'].map((name) => writeClosure(sandbox, name, { 'etc/x': 'x\n' }));
      symlinkSync('../policy.toml', `${linked}/activation.toml`);
      mkdirSync(`${filled}/activation.toml`);
      for (const [closure, kind] of [
        [linked, 'symlink'],
        [filled, 'directory'],
      ]) {
        expect(await refusalOf(sandbox, 65, ['switch', closure ?? ''])).toEqual({
          path: `${closure}/activation.toml`,
          message: `a policy is a regular file, and this is a ${kind}`,
          hint: 'Put the file itself there, or name it with --policy.',
        });
      }
    });
  });

  test('that is named takes the place of the own one', async () => {
    await withSandbox(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', { 'etc/x': 'x\n', 'activation.toml': 'this is none' });
      writeFileSync(sandbox.on('/policy.json'), '{"schema": 1, "path": [{"match": "/etc/x", "place": "copy"}]}');
      expect((await activateOn(sandbox)('switch', closure, '--policy', 'policy.json')).status).toBe(0);
    });
  });
});
