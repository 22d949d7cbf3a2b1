// What generated skeletons import: a contract with files that live in other repositories. Names are added here, never
// changed or removed; what must change becomes a `v2` beside this file.

export { arrayOf, readArray, readRest, restOf, writeArray, writeRest } from '../codec/array.js';
export {
  bigBits,
  bits,
  putBits,
  putSafeBits,
  safeBits,
  signedBigBits,
  signedBits,
  signedSafeBits,
} from '../codec/bits.js';
export type { Codec } from '../codec/codec.js';
export { oneOf, oneOfSize } from '../codec/one-of.js';
export {
  bytes,
  decodeBase64,
  putBytes,
  raw,
  readBytes,
  readRestBytes,
  restBytes,
  writeRestBytes,
} from '../codec/raw.js';
export {
  bool,
  f32,
  f32be,
  f64,
  f64be,
  getInt128,
  getSafeInt64,
  getSafeUint64,
  getUint128,
  i8,
  i16,
  i16be,
  i32,
  i32be,
  i64,
  i64be,
  i64n,
  i64nbe,
  i128,
  i128be,
  putBool,
  putFloat32,
  putFloat64,
  putInt128,
  putSafeInt64,
  putSafeUint64,
  safeBigint,
  safeBiguint,
  safeNumber,
  u8,
  u16,
  u16be,
  u32,
  u32be,
  u64,
  u64be,
  u64n,
  u64nbe,
  u128,
  u128be,
} from '../codec/scalars.js';
export { sizeOf, struct, type UnionCodec, union } from '../codec/struct.js';
export { type OtherBigint, type OtherNumber, putOther } from '../codec/tagged.js';
export { cstring, putCstring, readRestText, restText, text, textSize, writeRestText } from '../codec/text.js';
// Every kind of map and program is a function that a skeleton may call.
export * from '../map/index.js';
export type { BpfMap, MapKind, MapShape } from '../map/map.js';
export * from '../program/index.js';
export type { Program, ProgramKind, ProgramShape } from '../program/program.js';
export { type LiveSkeleton, type OpenSkeleton, type Skeleton, skeleton } from '../skeleton.js';
export { byArchitecture } from './by-architecture.js';
export { at, type Callback, callback, type Description, type Global } from './description.js';
export { readObjectFile } from './object-file.js';
