import { describe, expect, test } from 'bun:test';
import { ActivateError } from '../../../src/core/errors';
import type { InitrdRules } from '../../../src/core/policy/initrd-rules';
import { parsePolicy } from '../../../src/core/policy/policy';

const FILE = 'activation.toml';

function rules(text: string): InitrdRules | undefined {
  return parsePolicy(`schema = 1\n${text}`, FILE).initrd;
}

function refusal(text: string): [string, string | undefined, string | undefined] {
  try {
    rules(text);
  } catch (error) {
    if (error instanceof ActivateError) return [`${error.code}: ${error.message}`, error.path, error.hint];
    throw error;
  }
  return ['fine', undefined, undefined];
}

const program = 'The first word is the name of a program, or an absolute path.';

describe('what a policy says of the initrd', () => {
  test('is modules, where they are, and commands', () => {
    const text = `[initrd]
modules = ["zfs", "dm-crypt"]
module-directories = ["/nix/store/a-zfs", "lib/extra"]
before-mount = [["zpool", "import", "-aN", "r pool"], ["/bin/sh", "-c", "echo $1 'a' \\"b\\" \\n%"]]`;
    expect(rules(text)).toEqual({
      modules: ['zfs', 'dm_crypt'],
      moduleDirectories: ['/nix/store/a-zfs', 'lib/extra'],
      beforeMount: [
        ['zpool', 'import', '-aN', 'r pool'],
        ['/bin/sh', '-c', 'echo $1 \'a\' "b" \n%'],
      ],
      origin: 'activation.toml: initrd',
    });
  });

  test.each(['', '[initrd]', '[initrd]\nmodules = []', '[initrd]\nbefore-mount = []\nmodule-directories = []'])(
    'is nothing: %j',
    (text) => {
      expect(rules(text)).toBeUndefined();
    },
  );

  test('can be read from JSON', () => {
    const policy = parsePolicy('{"schema": 1, "initrd": {"modules": ["zfs"]}}', 'policy.json');
    expect(policy.initrd).toEqual({
      modules: ['zfs'],
      moduleDirectories: [],
      beforeMount: [],
      origin: 'policy.json: initrd',
    });
  });
});

describe('what a policy says of the initrd is refused', () => {
  test.each<[string, string, string]>([
    ['[[initrd]]', 'initrd: a list is not allowed', 'Allowed is one table, under [initrd] with one bracket.'],
    ['initrd = "zfs"', 'initrd: "zfs" is not allowed', 'Allowed is one table, under [initrd] with one bracket.'],
    [
      '[initrd]\nmodule = ["zfs"]',
      'initrd.module: there is no such key',
      'Did you mean modules? The keys here are modules, module-directories and before-mount.',
    ],
    [
      '[initrd]\nmodules = "zfs"',
      'initrd.modules: "zfs" is not allowed',
      'Allowed is a list of texts in quotes, e.g. ["zfs"].',
    ],
    [
      '[initrd]\nmodules = ["zfs.ko"]',
      'initrd.modules: "zfs.ko" is no name of a module',
      'Write it as lsmod does, e.g. "zfs": letters, digits, _ and -, without a directory or ".ko".',
    ],
    [
      '[initrd]\nmodules = ["dm-mod", "dm_mod"]',
      'initrd.modules: "dm_mod" is named twice',
      'Name it once; - and _ are the same.',
    ],
    [
      '[initrd]\nmodules = ["a"]\nmodule-directories = ["../b"]',
      'initrd.module-directories: "../b" is no path of a directory',
      'Write an absolute path, or one from the closure\'s top such as "lib/extra-modules"; without "..".',
    ],
    [
      '[initrd]\nmodule-directories = ["/b"]',
      'initrd.module-directories: it makes no sense without modules',
      'Write e.g. modules = ["zfs"].',
    ],
    [
      '[initrd]\nbefore-mount = ["zpool"]',
      'initrd.before-mount: a list is not allowed',
      'Allowed is a list of commands, each a list of a program and its arguments, e.g. [["zpool", "import", "-aN"]].',
    ],
    [
      '[initrd]\nbefore-mount = [[]]',
      'initrd.before-mount: a command is empty',
      'Write e.g. before-mount = [["zpool", "import", "-aN", "rpool"]].',
    ],
    ['[initrd]\nbefore-mount = [["-a"]]', 'initrd.before-mount: "-a" is no program', program],
    ['[initrd]\nbefore-mount = [[""]]', 'initrd.before-mount: "" is no program', program],
    ['[initrd]\nbefore-mount = [["bin/zpool"]]', 'initrd.before-mount: "bin/zpool" is no program', program],
    [
      '[initrd]\nbefore-mount = [["a", "\\u0000"]]',
      'initrd.before-mount: "\\u0000" cannot be passed to a program',
      'Leave the NUL out.',
    ],
  ])('%j', (text, message, hint) => {
    expect(refusal(text)).toEqual([`POLICY: ${message}`, FILE, hint]);
  });
});
