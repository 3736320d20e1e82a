import { expect, test } from 'bun:test';
import { editEach, type programs, type Way } from '../support/editing';

const refused = 'fails; as it was; no drift, no backup';
const replaced = "succeeds; file 'edited'; drift, backup";
const appended = "succeeds; file 'one edited'; drift, backup";
/** The program wrote to what the link names, which is the machine's own. */
const through = 'succeeds; as it was; no drift, no backup';
const gone = 'succeeds; nothing; drift, no backup';
const linked = 'succeeds; link to /var/new/content; drift, backup';
const installed = "succeeds; file 0600 'edited'; drift, backup";
/** dpkg follows the link for the old file and not for the new one, finds them equal, and leaves the new one there. */
const passedOver = 'succeeds; as it was, and a .dpkg-new; no drift, no backup';

/** For each program, what becomes of a managed file that it changes: through a link of ours, a direct link, and in a copy. */
const table: Readonly<Record<keyof typeof programs, readonly [link: string, direct: string, copy: string]>> = {
  'echo >>': [refused, through, appended],
  'echo >': [refused, through, replaced],
  'tee -a': [refused, through, appended],
  truncate: [refused, through, "succeeds; file ''; drift, backup"],
  'sed -i': [replaced, replaced, replaced],
  'sed -i --follow-symlinks': [refused, through, replaced],
  'perl -i': [replaced, replaced, replaced],
  vim: [refused, through, replaced],
  cp: [refused, through, replaced],
  'cp --remove-destination': [replaced, replaced, replaced],
  mv: [replaced, replaced, replaced],
  install: [installed, installed, installed],
  'ln -sf': [linked, linked, linked],
  rm: [gone, gone, gone],
  chmod: [refused, through, "succeeds; file 0600 'one'; drift, backup"],
  chown: [refused, through, "succeeds; file of 12 'one'; drift, backup"],
  'chown -h': [
    'succeeds; link to /run/filesystem-overlay/etc/edited/chown-h of 12; no drift, no backup',
    'succeeds; link to /var/targets/one/edited/chown-h of 12; no drift, no backup',
    "succeeds; file of 12 'one'; drift, backup",
  ],
  touch: [refused, through, through],
  setfattr: [refused, through, "succeeds; file with user.colour 'one'; drift, backup"],
  setfacl: [refused, through, "succeeds; file with system.posix_acl_access 'one'; drift, backup"],
  'dpkg upgrade': [passedOver, passedOver, replaced],
  'dpkg upgrade --force-confnew': [passedOver, passedOver, replaced],
  'dpkg purge': [refused, through, gone],
};

test.each<[Way, 0 | 1 | 2]>([
  ['link', 0],
  ['direct', 1],
  ['copy', 2],
])(
  'what people change in a file that is placed as a %s is kept, and never in a record',
  async (way, column) => {
    const expected = Object.fromEntries(Object.entries(table).map(([program, cells]) => [program, cells[column]]));
    expect(await editEach(way)).toEqual(expected);
  },
  240_000,
);
