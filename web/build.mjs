// Bundles the page into the directory named on the command line: index.html, app.js, app.css and
// favicon.svg, which is all that the browser ever asks for.
import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const out = process.argv[2];
if (!out) {
  console.error('usage: node build.mjs OUTDIR');
  process.exit(2);
}
const source = join(dirname(fileURLToPath(import.meta.url)), 'src');
const target = resolve(out);
await mkdir(target, { recursive: true });

const shared = { bundle: true, minify: true, target: ['es2021'], logLevel: 'warning', legalComments: 'none' };
await build({ ...shared, entryPoints: [join(source, 'main.ts')], outfile: join(target, 'app.js'), format: 'iife' });
await build({ ...shared, entryPoints: [join(source, 'styles/app.css')], outfile: join(target, 'app.css') });
for (const name of ['index.html', 'favicon.svg']) await copyFile(join(source, name), join(target, name));
