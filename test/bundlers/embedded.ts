// Skeletons whose object is a file beside them, and whose object depends on the processor.
import { architectures } from '../golden/architectures/expected.skel.ts';
import { embed_file } from '../golden/embed_file/expected.skel.ts';

for (const skeleton of [architectures, embed_file])
  console.log(Object.keys(skeleton.open().progs).length > 0);
