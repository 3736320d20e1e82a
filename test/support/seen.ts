import { takeSnapshot } from './snapshot';

// Run in a mount namespace: prints what can be seen of the tree that is its argument.
console.log(JSON.stringify(takeSnapshot(process.argv[2] ?? '/')));
