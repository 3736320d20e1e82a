import { makeTemporaryDirectory, removeTree } from '../../sandbox';
import { cutAgainAndAgain } from './cutting';
import { report } from './figures';
import { machineHere } from './here';
import { machineOfItsOwn } from './stock';

// `npm run test:power [COUNT] [here]`: so many power cuts, half of them on each of two machines; with `here` those have no kernel
// of their own. SEED for the same moments again; ROOTFLAGS=barrier=0 shows what is found on a machine that does not tell its disk
// what to keep; KEEP=1 keeps all that the machines said.
const count = Number(process.argv[2] ?? 100);
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e6));
const machines = Number(process.env['MACHINES'] ?? 2);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

say(`SEED=${seed}`);
const directory = makeTemporaryDirectory();
try {
  const stock = await (process.argv[3] === 'here' ? machineHere(directory) : machineOfItsOwn());
  const begun = performance.now();
  const each = { cuts: Math.ceil(count / machines), say, mounted: process.env['ROOTFLAGS'] };
  const all = await Promise.all(
    Array.from({ length: machines }, (_, index) => cutAgainAndAgain(stock, { ...each, seed: seed + index })),
  );
  const { text, wrong } = report(all, (performance.now() - begun) / 1000);
  say(text);
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  removeTree(directory);
}
