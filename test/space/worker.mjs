// Prints what each codec takes of the heap: a JSON object a line. Arguments are parts of names; none is all.
import { codecs } from 'codecs';
import { likelyBytes, randomBytes } from '../conformance/round-trip.mjs';
import { spaceOf } from './measure.mjs';

/** What may stand in a record: nothing but noise, parts that mean something, text, small integers. */
const fillings = {
  noise: randomBytes,
  mixture: likelyBytes,
  text: (seed) => made(seed, (byte) => 0x61 + (byte % 26)),
  small: (seed) => made(seed, (byte, i) => (i % 8 === 0 ? byte & 7 : 0)),
};
/** Different records, and how often bytes are made up that turn out not to be a value of the type. */
const RECORDS = 64;
const TRIES = 20 * RECORDS;

function made(seed, of) {
  const random = randomBytes(seed);
  return (length) => random(length).map(of);
}

function isValue(codec, bytes, readOnly) {
  try {
    const value = codec.read(new DataView(bytes.buffer), 0, bytes.length);
    if (!readOnly) codec.write(new DataView(new ArrayBuffer(bytes.length)), 0, value);
    return true;
  } catch (error) {
    if (error?.name === 'BpfError') return false;
    throw error;
  }
}

const wanted = process.argv.slice(2);
for (const { name, codec, length, readOnly } of codecs()) {
  if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) continue;
  let measured = 0;
  for (const [filling, random] of Object.entries(fillings)) {
    const records = [];
    const fill = random(7);
    for (let tries = 0; tries < TRIES && records.length < RECORDS; tries++) {
      const bytes = fill(length);
      if (isValue(codec, bytes, readOnly)) records.push(bytes);
    }
    if (records.length < RECORDS) continue;
    measured += 1;
    console.log(JSON.stringify({ name, filling, ...spaceOf(codec, records, readOnly) }));
  }
  if (measured === 0) throw new Error(`${name}: none of the made up bytes are a value of it`);
}
