// Stores what V8 makes of the published script while it loads objects, for the Node that runs this: see node/load.js.
// Needs neither privileges nor Linux: the kernel is a fake one, but for a load that every kernel refuses.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chunkOf, storeCode } from './dist/node/load.js';

const { openObject, isBpfError } = chunkOf('index.js');
const { fakeKernel } = chunkOf('testing/index.js');
const example = (name) => join(import.meta.dirname, '../examples', name);
const execsnoop = example('execsnoop/execsnoop_kern.o');

/** With the types of the object itself as those of the kernel. */
function loadIntoFake(path) {
  const bytes = readFileSync(path);
  const object = openObject(bytes, { kernelBtf: bytes, kernel: fakeKernel() }).load();
  object.attach();
  object.destroy();
}

/** What reads the kernel's types and calls it. */
function loadInVain(path) {
  const object = openObject(path);
  for (const map of object.maps.values()) map.maxEntries = 0;
  try {
    object.load().destroy();
  } catch (error) {
    if (!isBpfError(error)) throw error;
  }
}

for (const path of [execsnoop, example('hello/hello_kern.o')]) loadIntoFake(path);
loadInVain(execsnoop);
storeCode();
