import { text, type Topic } from './topic';

const policy: Topic = {
  name: 'policy',
  summary: 'what becomes of each path of a closure',
  sections: [
    {
      title: 'The file',
      blocks: [
        text(
          'activation.toml at the top of a closure, or the file that --policy names, says what the files of the closure cannot.',
          'JSON of the same shape is accepted.',
        ),
        {
          kind: 'code',
          text: `schema = 1
roots = ["/etc"]

[[path]]
match = "/etc/sudoers.d/**"
place = "copy"
mode = "0440"
owner = "root"
group = "root"
on-conflict = "backup"
on-drift = "merge"
`,
        },
      ],
    },
    {
      title: 'Keys',
      blocks: [
        {
          kind: 'terms',
          terms: [
            ['schema', 'The version of this format: 1.'],
            [
              'roots',
              'The directories whose paths the closure may own; /etc without it. Never /, /proc, /sys, /dev, /run, the stores, /var/lib/activate, nor what is above or below one of them.',
            ],
            ['[[path]]', 'A rule. The first that matches a path wins; built-in rules come last.'],
            [
              'match',
              'A pattern as in gitignore(5). A rule is for files and links that it matches, themselves or a directory above them.',
            ],
            [
              'place',
              'link: a link through the pointer. direct: a link with the text that the closure has. copy: a real file. seed: a real file, made once if nothing is there. directory: the directory itself, with mode and owner. skip: left out. A pattern that ends in a slash and place = "link" make one link of a whole directory.',
            ],
            [
              'mode, owner, group',
              'Of a copy, a seed or a directory: octal digits in quotes; names or numbers. Without place they mean a copy.',
            ],
            [
              'on-conflict',
              "Something of the machine's is in the way. refuse: nothing is changed. backup: it is taken over, and comes back on rollback. keep: it stays, and that is remembered.",
            ],
            [
              'on-drift',
              'Somebody changed what is ours. backup: ours is put back, and the change is kept as a numbered backup. refuse: nothing is changed. keep: the change stays. merge: the change is brought into the next version, line by line; where that does not work out, nothing is changed.',
            ],
            [
              '[[wrapper]]',
              'A program with more rights, made as /run/wrappers/bin and its name. name; source: an absolute path of the machine, or one from the top of the closure; mode: 4755 without it, 0755 where there are capabilities; owner, group: root without them; capabilities: as in setcap(8).',
            ],
            [
              '[initrd]',
              "What happens before anything is mounted. modules: names of modules of the closure's kernel, or where it has none of the machine's, which are loaded with what they need. module-directories: where they are besides, with lib/modules/VERSION in it. before-mount: commands, each a list of a program and its arguments.",
            ],
          ],
        },
      ],
    },
    {
      title: 'Built-in rules',
      blocks: [
        text(
          'seed for passwd, group, shadow, gshadow, subuid and subgid with their backups, machine-id and the ssh host keys; in trees also',
          'hostname, adjtime, resolv.conf, mtab and fstab. copy for sudoers and sudoers.d. skip for .pwd.lock.',
          'copy for what is read before the boot hook of the machine runs: see boot. Accounts and .pwd.lock are never links, whatever a rule says.',
        ),
      ],
    },
  ],
};

const exitStatus: Topic = {
  name: 'exit-statuses',
  summary: 'what the exit status tells a script',
  sections: [
    {
      title: 'Exit status',
      blocks: [
        {
          kind: 'terms',
          terms: [
            ['0', 'Done, or nothing to do.'],
            ['1', 'diff --exit-code, status --exit-code and verify: differences.'],
            ['2', 'Wrong usage.'],
            ['3', 'Refused: conflicts, or a failed check. Nothing was changed.'],
            ['4', 'Failed. Everything was undone, the old generation is live.'],
            ['5', 'Failed, and could not be undone; or done, and could not be cleaned up: activate resume.'],
            ['65', 'Broken input: closure, policy, bundle, image or record.'],
            ['70', 'A bug in activate.'],
            ['74', 'The machine could not read or write something.'],
            ['75', 'Another activation is running.'],
            ['77', 'No permission.'],
          ],
        },
      ],
    },
  ],
};

const boot: Topic = {
  name: 'boot',
  summary: 'what shows a generation when the machine boots',
  sections: [
    {
      title: 'Boot hooks',
      blocks: [
        text(
          'The pointer is in /run, which is empty at boot: until a hook makes it again, every link leads nowhere. activate install chooses one by',
          'what the machine has, in this order. activate install --dry-run says which, why, and every file of it.',
        ),
        {
          kind: 'terms',
          terms: [
            [
              '--initrd dracut',
              'In initrds made by dracut: a file in /usr/lib/dracut/dracut.conf.d. Then: dracut --regenerate-all --force.',
            ],
            [
              '--initrd initramfs-tools',
              'In initrds made by initramfs-tools: a hook and scripts in /usr/share/initramfs-tools. Then: update-initramfs -u -k all.',
            ],
            [
              '--initrd addon',
              'For any other initrd that runs systemd: /usr/lib/activate/addon.cpio, which a plugin of kernel-install places as a second initrd. Then: kernel-install add.',
            ],
            [
              '--init-wrapper',
              'Where there is no initrd: /usr/lib/activate/init, which starts the real init. Then: init=/usr/lib/activate/init on the kernel command line.',
            ],
            [
              '--oneshot',
              'A service that runs first, with a daemon-reload. machine-id, hostname, locale.conf, fstab, crypttab, veritytab, integritytab, modprobe.d and selinux become copies.',
            ],
          ],
        },
        text(
          'What holds the state, and what generations show, has to be mounted by then: on the root filesystem, or, with an initrd, with x-initrd.mount in',
          '/etc/fstab (initramfs-tools: with any line there that mounts a device).',
        ),
        text(
          'Behind the other hooks a service as that of --oneshot makes the pointer where the hook did not run, such as in an initrd that was made before.',
          'What was read in /etc by then was not there: activate status says so, and what to do.',
        ),
      ],
    },
    {
      title: 'Kernel command line',
      blocks: [
        {
          kind: 'terms',
          terms: [
            ['activate.generation=N|previous', 'Shows this generation, or the one before the default, for this boot.'],
            ['activate.mode=off|shell', 'Shows none, or opens a shell first.'],
            ['activate.interactive=1, activate.timeout=SECONDS', 'Asks on the console which generation it shall be.'],
            ['activate.verify=1', 'Checks each file that is shown against its digest; images are always checked.'],
            ['activate.debug', 'Prints each command of the boot script.'],
          ],
        },
      ],
    },
    {
      title: 'Recovery',
      blocks: [
        text(
          'Where a generation cannot be shown, the boot takes the default, then the one before it, then the one before that, and brings /etc to it;',
          'activate status says so. Where none can be shown the boot stops in a shell, and goes on once one can.',
        ),
      ],
    },
  ],
};

const files: Topic = {
  name: 'files',
  summary: 'what is where on disk',
  sections: [
    {
      title: 'Files',
      blocks: [
        {
          kind: 'terms',
          terms: [
            ['/run/filesystem-overlay', 'The pointer: a link to what the live generation shows.'],
            ['/run/activate/gen/N', 'Where a generation is mounted that is shown from an image or from memory.'],
            ['/run/activate/boot.json', 'What the boot hook of this boot was asked for, what it chose, and why.'],
            ['/run/activate/lock', 'Held for the length of a transition.'],
            [
              '/var/lib/activate/live, default',
              'Links to the generation that is shown now, and to the one that the next boot shows.',
            ],
            [
              '/var/lib/activate/generations/N',
              'The record of a generation: generation.json, manifest.json, the full snippet in tmpfiles.d, boot/addon.cpio for an initrd, and its content where that is in no store: tree, image.squashfs or image.erofs.',
            ],
            ['/var/lib/activate/hooks.json', 'What activate install put on the machine.'],
            [
              '/var/lib/activate/generations/N/tries',
              'How many boots the generation has left, while it is on trial: the boot hook counts them down.',
            ],
            ['/var/lib/activate/backups/N', 'Something that was taken out of the way, and why.'],
            [
              '/var/lib/activate/transition.json',
              'The journal: there while a transition is under way, or was interrupted.',
            ],
          ],
        },
      ],
    },
  ],
};

/** All that `activate help` tells besides commands. */
export const topics: readonly Topic[] = [policy, boot, exitStatus, files];
