import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { version } from '../package.json';

const project = join(import.meta.dir, '..');
const outfile = join(project, 'dist/activate');
// Two builds at once do not get in each other's way.
const unfinished = `${outfile}.${process.pid}`;

await mkdir(join(project, 'dist'), { recursive: true });
await Bun.build({
  entrypoints: [join(project, 'src/main.ts')],
  target: 'bun',
  format: 'esm',
  bytecode: true,
  minify: true,
  define: { ACTIVATE_VERSION: JSON.stringify(version) },
  // A program for root takes no settings from the directory in which it happens to run.
  compile: { outfile: unfinished, autoloadDotenv: false, autoloadBunfig: false },
});
// Whoever runs the old one goes on with it.
await rename(unfinished, outfile);
