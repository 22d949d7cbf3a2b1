/**
 * `@bpfskel/runtime/testing`: a kernel in memory, to test programs that use skeletons without root and without Linux.
 */
export type { FakeLink, FakeProgram } from './descriptors.js';
export {
  type FakeBinarySpec,
  type FakeSymbol,
  type FakeUsdt,
  fakeBinary,
  fakeLayout,
} from './fake-binary.js';
export type { FakeKernelOptions } from './fake-host.js';
export { type DrainOptions, type EmitOptions, FakeKernel, fakeKernel } from './fake-kernel.js';
export type { FakeMap } from './fake-map.js';
export type { Reservation } from './fake-ring.js';
export type { FakeFrame } from './fake-stacks.js';
export type { ErrnoName } from './refusal.js';
export type { FailingOptions } from './script.js';
