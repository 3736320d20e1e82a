import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cached } from './vm/cache';
import { debianKernel } from './vm/debian';
import { insist } from './vm/running';

/** A directory with lib/modules/VERSION in it, where depmod was run. */
export interface KernelModules {
  readonly directory: string;
  readonly version: string;
}

/** The modules of the kernel that the machines of tests boot, as an installed package leaves them. */
export async function debianModules(): Promise<KernelModules> {
  const kernel = await debianKernel();
  const directory = await cached('modules', [basename(kernel)], async (into) => {
    await insist(['cp', '-a', '--reflink=auto', join(kernel, 'lib'), join(into, 'lib')]);
    for (const version of readdirSync(join(into, 'lib/modules'))) await insist(['depmod', '--basedir', into, version]);
  });
  const [version = ''] = readdirSync(join(directory, 'lib/modules'));
  return { directory, version };
}
