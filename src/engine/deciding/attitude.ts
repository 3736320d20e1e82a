import type { Attitude, Side } from '../../core/plan/decision';
import type { TargetPath } from '../../core/path';
import { compileRules } from '../../core/policy/policy';
import type { AttitudeRule } from '../../core/records/generation';
import type { Attitudes, Destination } from './prepare';

/** What to do about the machine's own at each path: what the rules of both sides and the command line say. */
export function attitudeTo(
  { rules, consent }: Pick<Destination, 'rules' | 'consent'>,
  from: { readonly rules: readonly AttitudeRule[]; readonly kept: Side['ledger']['kept'] },
  attitudes: Attitudes,
): (path: TargetPath) => Attitude {
  const ruleFor = compileRules([...rules, ...from.rules]);
  return (path) => {
    const rule = ruleFor(path, 'other');
    // What people put back themselves is not taken over again.
    const agreed = consent.has(path) && !from.kept.has(path) ? 'backup' : undefined;
    return {
      onConflict: rule?.onConflict ?? attitudes.onConflict ?? agreed,
      onDrift: rule?.onDrift ?? attitudes.onDrift,
    };
  };
}
