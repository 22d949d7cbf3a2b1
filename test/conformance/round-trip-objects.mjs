// The round trip of every struct and union of many objects, for plain node: what `npm run conformance:gen` prints.
import { readFileSync } from 'node:fs';
import { Btf } from '@bpfskel/runtime/inspect';
import { transformSync } from 'rolldown/experimental';
import * as runtime from '../../runtime/dist/codegen/v1.js';
import { parseElf } from '../../runtime/dist/elf.js';
import { roundTrips } from './round-trip.mjs';

const modules = ['imports', 'kept-fields', 'names', 'reach', 'render', 'type-model', 'types'];
const parts = await Promise.all(modules.map((name) => import(`../../dist/${name}.js`)));
/** What makes codecs of BTF. */
export const tools = { generator: Object.assign({}, ...parts), runtime, transform };

/** The BTF of an object, also of those that need linking: they are no skeletons, but have types all the same. */
export function btfOf(file) {
  const data = parseElf(readFileSync(file)).sections.find(({ name }) => name === '.BTF')?.data;
  return data && Btf.parse(data);
}

/** Tries all objects; equal code is tried once. Types that fail are named on stderr. */
export function roundTripObjects(files) {
  const known = new Map();
  const sum = { objects: 0, structs: 0, different: 0, same: 0 };
  for (const file of files) {
    const btf = btfOf(file);
    if (btf === undefined) continue;
    const { structs, different, failed } = roundTrips(btf, { ...tools, known });
    for (const why of failed.slice(0, 5)) console.error(`${file}: ${why}`);
    sum.objects += 1;
    sum.structs += structs;
    sum.different += different;
    sum.same += structs - failed.length;
  }
  return sum;
}

function transform(text) {
  const { code, errors } = transformSync('types.ts', text);
  if (errors.length > 0) throw new Error(errors[0].message);
  return code;
}
