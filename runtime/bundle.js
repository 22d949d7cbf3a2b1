// Makes the published modules from what tsc compiled: a file for each entry point and for what they share. Node takes
// 100 ms to find and read the hundred and thirty modules one by one, and 25 ms for these.
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const dist = join(import.meta.dirname, 'dist');
const entries = ['index', 'codegen/v1', 'inspect', 'testing/index'];

const bundle = await rolldown({
  input: Object.fromEntries(entries.map((name) => [name, join(dist, `${name}.js`)])),
  platform: 'node',
  external: ['koffi', /^node:/],
});
await bundle.write({
  dir: join(dist, 'bundle'),
  format: 'esm',
  chunkFileNames: '[name].js',
});
await bundle.close();
