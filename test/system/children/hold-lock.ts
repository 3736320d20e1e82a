import { tryLock } from '../../../src/system/locking';
import { openRoot } from '../../../src/system/tree/rooted';
import { at } from '../temporary-root';

// Holds the lock until it is killed, with a child that must not keep it any longer.
const lock = tryLock(openRoot(process.argv[2] ?? ''), at('/lock'));
const sleeper = Bun.spawn(['sleep', '60'], { stdio: ['ignore', 'ignore', 'ignore'] });
console.log(JSON.stringify({ held: lock.state === 'held', sleeper: sleeper.pid }));
setInterval(() => undefined, 60_000);
