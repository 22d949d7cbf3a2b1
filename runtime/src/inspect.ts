// What tools need that look into object files: no koffi and no node: module behind any of it.

export { Btf } from './btf/btf.js';
export type { CoreRelocation, FuncInfo, LineInfo } from './btf/ext.js';
export type * from './btf/types.js';
export { validateBtf } from './btf/validate.js';
export { coreQuestion } from './core/kinds.js';
export { relocationText } from './core/relocate.js';
export { BpfError, isBpfError, MalformedError, printable } from './errors.js';
export { errnoName } from './kernel/errno.js';
export { mapKindOf, mapKinds } from './map/kinds.js';
export { architectureOf } from './object/architecture.js';
export { sectionIdentifier } from './object/globals.js';
export { kernelMapName, libbpfMapName } from './object/maps.js';
export { parseObject } from './object/parse.js';
export type * from './object/spec.js';
export { kindOf, knownSections } from './program/kinds.js';
export { BPF_ATTACH_TYPE, BPF_MAP_TYPE, BPF_PROG_TYPE } from './uapi.js';
