// The public names of @bpfskel/runtime. Symbols above the line are what applications use.

export { arrayOf } from './codec/array.js';
export type { Codec, CodecType } from './codec/codec.js';
export { fromJson } from './codec/from-json.js';
export { type JsonOptions, jsonBigint, snapshot, toJson } from './codec/json.js';
export { bytes } from './codec/raw.js';
export { bool, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64, u128 } from './codec/scalars.js';
export type { OtherBigint, OtherNumber } from './codec/tagged.js';
export { text } from './codec/text.js';
export {
  BpfError,
  isBpfError,
  MalformedError,
  NotSupportedError,
  printable,
  SyscallError,
  VerifierError,
} from './errors.js';
export type { AttachType, Kernel, LinkInfo, LinkType, PerfEventInfo } from './kernel/kernel.js';
export { linuxKernel } from './kernel/linux.js';
export type { CgroupOptions } from './link/cgroup.js';
export type { CgroupMode, CgroupPrograms } from './link/cgroup-programs.js';
export type { FileTarget } from './link/file-target.js';
export type { IterLink } from './link/iter.js';
export type { Link } from './link/link.js';
export type {
  LinkInfoOf,
  OpenedLink,
  OpenedStructOpsLink,
  UpdatableLinkType,
  UpdatableOpenedLink,
} from './link/opened-link.js';
export type { Anchor, OrderOptions } from './link/order.js';
export type { AttachedProgram } from './link/program-name.js';
export type { SocketTarget } from './link/socket-target.js';
export type { StructOpsLink, StructOpsUpdate } from './link/struct-ops.js';
export type { UpdatableLink } from './link/updatable-link.js';
export type { LinkedProgram, UpdateOptions } from './link/update-program.js';
export type { AttachedXdp, XdpMode } from './link/xdp.js';
export type { AttachOptions, AttachReport } from './loader/attach-report.js';
export type { LiveObject } from './loader/live-object.js';
export type { LoadOptions } from './loader/load.js';
export type { OpenMap } from './loader/open-object.js';
export type { OpenProgram, ProgramTarget } from './loader/open-program.js';
export type { RecordListener } from './map/delivery.js';
export type { DeviceTarget, MappedDevice } from './map/devices.js';
export type { HasFd } from './map/holder.js';
export type {
  AddressFrame,
  Arena,
  ArrayMap,
  ArrayOfMaps,
  BloomFilter,
  BuildIdFrame,
  BuildIdStackTraceMap,
  CgroupArray,
  CgroupStorage,
  CgrpStorage,
  CpuMap,
  CpuTarget,
  DevMap,
  DevMapHash,
  HashMap,
  HashOfMaps,
  InodeStorage,
  InsnArray,
  InsnPlace,
  LpmTrieMap,
  LruHashMap,
  LruPerCpuHashMap,
  MappedCpu,
  OtherMap,
  PerCpuArrayMap,
  PerCpuCgroupStorage,
  PerCpuHashMap,
  PerfEventArray,
  ProgArray,
  QueueMap,
  ResizableHashMap,
  ReuseportSockArray,
  RingBuffer,
  SkStorage,
  SockHash,
  SockMap,
  StackMap,
  StackTraceMap,
  StructOpsMap,
  StructOpsState,
  Symbolizer,
  TaskOwner,
  TaskStorage,
  TrieKey,
  UserRingBuffer,
  XskMap,
} from './map/index.js';

// The kinds, to type a map that is opened without its skeleton: `hash(u32, Stats)`.
export {
  arena,
  array,
  arrayOfMaps,
  bloomFilter,
  buildIdStackTrace,
  cgroupArray,
  cgroupStorage,
  cgrpStorage,
  cpumap,
  devmap,
  devmapHash,
  hash,
  hashOfMaps,
  inodeStorage,
  insnArray,
  lpmTrie,
  lruHash,
  lruPercpuHash,
  otherMap,
  percpuArray,
  percpuCgroupStorage,
  percpuHash,
  perfEventArray,
  progArray,
  queue,
  reuseportSockarray,
  rhash,
  ringbuf,
  skStorage,
  sockhash,
  sockmap,
  stack,
  stackTrace,
  taskStorage,
  userRingbuf,
  xskmap,
} from './map/index.js';
export { formatIp, parseIp } from './map/ip-text.js';
export type { LiveArray } from './map/live-array.js';
export type { BpfMap, MapShape } from './map/map.js';
export type { InnerOptions } from './map/map-of-maps.js';

export { type MergedRecord, mergeRecords } from './map/merge-records.js';

export type { GetOptions, SetOptions } from './map/options.js';
export type { OwnedMap } from './map/owned.js';
export type { PerfBufferOptions } from './map/perf-buffers.js';
export { Prefix } from './map/prefix.js';
export type { Records } from './map/record-iterator.js';
export type { RecordStats } from './map/record-source.js';
export type { RecordStream } from './map/record-stream.js';
export type { StreamOptions, Subscription } from './map/subscription.js';
export type { Reservation } from './map/user-ring.js';
// Plumbing: for tools that look into objects and for those who bring their own kernel.
export { parseObject } from './object/parse.js';
export type { ObjectSpec } from './object/spec.js';
export { type KernelLoadOptions, type LoadableObject, objectName, openObject } from './open.js';
export { type OpenLinkOptions, openLink, openLinkById } from './open-link.js';
export { type OpenMapOptions, openMapById, openPinnedMap } from './open-map.js';
export type { FlowKeys, FlowRun, FlowRunResult } from './program/flow-run.js';
export type {
  CgroupDeviceProgram,
  CgroupProgram,
  CgroupSkbProgram,
  CgroupSockAddrProgram,
  CgroupSockoptProgram,
  CgroupSockProgram,
  CgroupSysctlProgram,
  FentryMultiProgram,
  FentryProgram,
  FexitMultiProgram,
  FexitProgram,
  FlowDissectorProgram,
  FmodRetProgram,
  FreplaceProgram,
  FsessionMultiProgram,
  FsessionProgram,
  IterProgram,
  KprobeMultiProgram,
  KprobeProgram,
  KprobeSessionProgram,
  KretprobeMultiProgram,
  KretprobeProgram,
  KretsyscallProgram,
  KsyscallProgram,
  LircMode2Program,
  LsmCgroupProgram,
  LsmProgram,
  LwtProgram,
  LwtSeg6LocalProgram,
  LwtXmitProgram,
  NetfilterProgram,
  NetkitProgram,
  OtherProgram,
  PerfEventProgram,
  RawTracepointProgram,
  SkLookupProgram,
  SkMsgProgram,
  SkReuseportProgram,
  SkSkbProgram,
  SocketFilterProgram,
  SockmapTarget,
  SockOpsProgram,
  SyscallProgram,
  SyscallResult,
  TcActionProgram,
  TcDirectedProgram,
  TcLink,
  TcProgram,
  TcxProgram,
  TpBtfProgram,
  TracepointProgram,
  UprobeMultiProgram,
  UprobeProgram,
  UprobeSessionProgram,
  UretprobeMultiProgram,
  UretprobeProgram,
  UsdtProgram,
  XdpLink,
  XdpMapProgram,
  XdpProgram,
} from './program/index.js';
export type { NetfilterRun, NetfilterRunResult } from './program/netfilter-run.js';
export type { PacketRun, PacketRunResult, SkBuff, SkBuffInput } from './program/packet-run.js';
export type { Program } from './program/program.js';
export type { SkLookupContext, SkLookupRun, SkLookupRunResult } from './program/sk-lookup-run.js';
export type { RunResult } from './program/test-run.js';
export type { XdpAction, XdpContext, XdpInjection, XdpRun, XdpRunResult } from './program/xdp-run.js';
export type { Skeleton } from './skeleton.js';
export { type Frame, KernelSymbols, ProcessSymbols, type SymbolsOptions } from './symbols.js';
export { type TracePipeOptions, tracePipe } from './trace-pipe.js';
export { BPF_MAP_TYPE } from './uapi.js';
export {
  type Verdict,
  type Verification,
  type VerifiedMap,
  type VerifierStatistics,
  type VerifyOptions,
  verifyObject,
} from './verify.js';
