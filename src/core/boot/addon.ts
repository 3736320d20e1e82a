import boot from '../../hooks/boot.sh' with { type: 'text' };
import { encodeName } from '../bytes';
import type { AddonMember } from './archive';

/** What every add-on has. */
export function addonMembers(): AddonMember[] {
  return [{ path: 'usr/lib/activate/boot', kind: 'file', mode: 0o755, bytes: encodeName(boot) }];
}
