import fc from 'fast-check';

// What is tried at random is the same each time, so that a run says something about the change and not about its luck.
// `SEED=N` tries something else.
fc.configureGlobal({ seed: Number(process.env['SEED'] ?? 20_261_121) });
