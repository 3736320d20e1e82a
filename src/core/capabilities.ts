/** The names that the kernel knows, each at its number. @see capabilities(7) */
const NAMES = [
  'cap_chown',
  'cap_dac_override',
  'cap_dac_read_search',
  'cap_fowner',
  'cap_fsetid',
  'cap_kill',
  'cap_setgid',
  'cap_setuid',
  'cap_setpcap',
  'cap_linux_immutable',
  'cap_net_bind_service',
  'cap_net_broadcast',
  'cap_net_admin',
  'cap_net_raw',
  'cap_ipc_lock',
  'cap_ipc_owner',
  'cap_sys_module',
  'cap_sys_rawio',
  'cap_sys_chroot',
  'cap_sys_ptrace',
  'cap_sys_pacct',
  'cap_sys_admin',
  'cap_sys_boot',
  'cap_sys_nice',
  'cap_sys_resource',
  'cap_sys_time',
  'cap_sys_tty_config',
  'cap_mknod',
  'cap_lease',
  'cap_audit_write',
  'cap_audit_control',
  'cap_setfcap',
  'cap_mac_override',
  'cap_mac_admin',
  'cap_syslog',
  'cap_wake_alarm',
  'cap_block_suspend',
  'cap_audit_read',
  'cap_perfmon',
  'cap_bpf',
  'cap_checkpoint_restore',
] as const;

/** The sets that a capability of a file is in, as bits; effective is one flag for all of them. */
const FLAGS = { e: 1, i: 2, p: 4 } as const;

/** What is wrong with the text of capabilities, and what to do about it. */
export interface CapabilityMistake {
  readonly problem: string;
  readonly hint: string;
}

/**
 * Reads capabilities as setcap(8) takes them, e.g. `cap_net_raw,cap_net_admin+ep`, and returns them as they are recorded:
 * `cap_net_admin,cap_net_raw=ep`. The same capabilities always have the same text then.
 */
export function parseCapabilities(text: string): string | CapabilityMistake {
  const flags = new Map<number, number>();
  for (const clause of text.split(' ').filter((each) => each !== '')) {
    const [, names, letters] = /^([a-z_,]+)[+=]([eip]+)$/u.exec(clause.toLowerCase()) ?? [];
    if (names === undefined || letters === undefined)
      return { problem: `${JSON.stringify(clause)} is not how capabilities are written`, hint: EXAMPLE };
    for (const name of names.split(',')) {
      const number = NAMES.findIndex((each) => each === name);
      if (number < 0)
        return { problem: `there is no capability ${JSON.stringify(name)}`, hint: 'See capabilities(7).' };
      for (const letter of letters) flags.set(number, (flags.get(number) ?? 0) | FLAGS[letter as keyof typeof FLAGS]);
    }
  }
  if (flags.size === 0) return { problem: 'there is none in it', hint: `${EXAMPLE} Or leave the key out.` };
  const held = [...flags.values()];
  const isEffective = held.some((bits) => (bits & FLAGS.e) !== 0);
  if (held.some((bits) => (bits & (FLAGS.i | FLAGS.p)) === 0))
    return { problem: 'e alone gives nothing', hint: 'Write +p or +ep.' };
  if (isEffective && held.some((bits) => (bits & FLAGS.e) === 0))
    return {
      problem: 'a file has e for all of its capabilities or for none',
      hint: 'Write the same letters for each.',
    };
  return renderFlags(flags);
}

const EXAMPLE = 'Write e.g. capabilities = "cap_net_raw+ep".';

/** Those with the same letters together, each group and the groups themselves in the order of the numbers. */
function renderFlags(flags: ReadonlyMap<number, number>): string {
  const groups = new Map<number, string[]>();
  for (const [number, bits] of [...flags].toSorted(([a], [b]) => a - b))
    groups.set(bits, [...(groups.get(bits) ?? []), NAMES[number] ?? `cap_${number}`]);
  return [...groups].map(([bits, names]) => `${names.join(',')}=${lettersOf(bits)}`).join(' ');
}

function lettersOf(bits: number): string {
  return (['e', 'i', 'p'] as const).filter((letter) => (bits & FLAGS[letter]) !== 0).join('');
}

const REVISION = { two: 0x02_00_00_00, three: 0x03_00_00_00, mask: 0xff_00_00_00, effective: 1 } as const;

/**
 * The capabilities of a file, from its attribute `security.capability`, as they are recorded; text that equals no recorded one
 * where they are those of another user namespace or the attribute is of a kind that is not known.
 *
 * @see vfs_cap_data in linux/capability.h
 */
export function decodeCapabilities(attribute: Uint8Array): string {
  const unknown = `unknown ${attribute.toHex()}`;
  if (attribute.length < 20) return unknown;
  const view = new DataView(attribute.buffer, attribute.byteOffset, attribute.byteLength);
  const word = (index: number): number => view.getUint32(index * 4, true);
  const revision = (word(0) & REVISION.mask) >>> 0;
  const isOwn = revision === REVISION.two || (revision === REVISION.three && attribute.length >= 24 && word(5) === 0);
  if (!isOwn) return unknown;
  const effective = (word(0) & REVISION.effective) === 0 ? 0 : FLAGS.e;
  const flags = new Map<number, number>();
  for (let number = 0; number < 64; number += 1) {
    const [half, bit] = [number < 32 ? 0 : 2, 1 << (number % 32)];
    const bits = ((word(1 + half) & bit) === 0 ? 0 : FLAGS.p) | ((word(2 + half) & bit) === 0 ? 0 : FLAGS.i);
    if (bits !== 0) flags.set(number, bits | effective);
  }
  return renderFlags(flags);
}
