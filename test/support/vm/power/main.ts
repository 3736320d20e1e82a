import { cutAgainAndAgain, makeStock } from './cutting';
import { report } from './figures';

// `npm run test:power [COUNT]`: so many power cuts, half of them on each of two machines; SEED for the same moments again.
// ROOTFLAGS=barrier=0 shows what is found on a machine that does not tell its disk what to keep.
const count = Number(process.argv[2] ?? 100);
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e6));
const chains = Number(process.env['MACHINES'] ?? 2);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

say(`SEED=${seed}`);
const stock = await makeStock();
const begun = performance.now();
const each = Math.ceil(count / chains);
const all = await Promise.all(
  Array.from({ length: chains }, (_, index) =>
    cutAgainAndAgain(stock, { cuts: each, seed: seed + index, say, mounted: process.env['ROOTFLAGS'] }),
  ),
);
const { text, wrong } = report(all, (performance.now() - begun) / 1000);
say(text);
process.exitCode = wrong.length === 0 ? 0 : 1;
