import { joinTarget, type TargetPath } from '../path';
import { type Wrapper, WRAPPERS, WRAPPERS_DEVICE, WRAPPERS_OPTIONS } from '../wrapper';

/** A unit of systemd, by the name of its file. */
export interface Unit {
  readonly name: string;
  readonly text: string;
}

/**
 * What a boot needs for wrappers besides the full snippet: their filesystem before systemd-tmpfiles runs, and their
 * capabilities, which it cannot set, before anything else runs.
 *
 * @param directory the directory that the full snippet makes
 * @see systemd.mount(5), systemd.service(5)
 */
export function wrapperUnits(wrappers: readonly Wrapper[], directory: TargetPath): Unit[] {
  if (wrappers.length === 0) return [];
  const commands = wrappers.flatMap(({ name, capabilities }) =>
    capabilities === undefined ? [] : [`ExecStart=setcap "${capabilities}" ${joinTarget(directory, name)}`],
  );
  const mount = { name: MOUNT, text: mountUnit };
  return commands.length === 0 ? [mount] : [mount, { name: SERVICE, text: serviceUnit(commands) }];
}

const MOUNT = 'run-wrappers.mount';
const SERVICE = 'activate-wrappers.service';
const COMMENT = '# Made by activate.\n';

const mountUnit = `${COMMENT}[Unit]
Description=Programs with more rights
Before=systemd-tmpfiles-setup.service

[Mount]
What=${WRAPPERS_DEVICE}
Where=${WRAPPERS}
Type=tmpfs
Options=${WRAPPERS_OPTIONS}

[Install]
WantedBy=local-fs.target
RequiredBy=systemd-tmpfiles-setup.service
`;

function serviceUnit(commands: readonly string[]): string {
  return `${COMMENT}[Unit]
Description=Capabilities of programs with more rights
DefaultDependencies=no
Requires=${MOUNT}
After=${MOUNT} systemd-tmpfiles-setup.service
Before=sysinit.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
${commands.join('\n')}

[Install]
WantedBy=sysinit.target
`;
}
