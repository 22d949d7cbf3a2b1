// The public names of @bpfskel/runtime. Symbols above the line are what applications use.

export type { Codec, CodecType } from './codec/codec.js';
export {
  BpfError,
  isBpfError,
  MalformedError,
  NotSupportedError,
  SyscallError,
  VerifierError,
} from './errors.js';
export type { Kernel } from './kernel/kernel.js';
export { linuxKernel } from './kernel/linux.js';
export type { Link } from './link/link.js';
export type { LiveObject } from './loader/live-object.js';
export type { LoadOptions } from './loader/load.js';
export type { OpenMap, OpenProgram, ProgramTarget } from './loader/open-object.js';
export type {
  ArrayMap,
  BloomFilter,
  HashMap,
  LpmTrieMap,
  LruHashMap,
  LruPerCpuHashMap,
  OtherMap,
  PerCpuArrayMap,
  PerCpuHashMap,
  PerfEventArray,
  ProgArray,
  QueueMap,
  RingBuffer,
  StackMap,
} from './map/index.js';
export type { BpfMap } from './map/map.js';
export type { GetOptions, SetOptions } from './map/options.js';
export { Prefix } from './map/prefix.js';
// Plumbing: for tools that look into objects and for those who bring their own kernel.
export { parseObject } from './object/parse.js';
export type { ObjectSpec } from './object/spec.js';
export { type KernelLoadOptions, type LoadableObject, objectName, openObject } from './open.js';
export type {
  FentryProgram,
  FexitProgram,
  FmodRetProgram,
  FreplaceProgram,
  IterProgram,
  KprobeProgram,
  KretprobeProgram,
  LsmProgram,
  OtherProgram,
  RawTracepointProgram,
  SocketFilterProgram,
  TpBtfProgram,
  TracepointProgram,
  UprobeProgram,
  UretprobeProgram,
  XdpLink,
  XdpProgram,
} from './program/index.js';
export type { Program } from './program/program.js';
export type { Skeleton } from './skeleton.js';
export { type TracePipeOptions, tracePipe } from './trace-pipe.js';
export {
  type Verdict,
  type Verification,
  type VerifiedMap,
  type VerifierStatistics,
  type VerifyOptions,
  verifyObject,
} from './verify.js';
