// One line per file: kinds.ts reads its table from what is exported here.
export * from './fentry.js';
export * from './freplace.js';
export * from './iter.js';
export * from './kprobe.js';
export * from './lsm.js';
export * from './other.js';
export * from './raw-tracepoint.js';
export * from './socket-filter.js';
export * from './tp-btf.js';
export * from './tracepoint.js';
export { type TracingOptions, TracingProgram } from './tracing.js';
export * from './uprobe.js';
export * from './xdp.js';
