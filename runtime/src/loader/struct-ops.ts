import type { Btf } from '../btf/btf.js';
import type { BtfComposite, BtfMember } from '../btf/types.js';
import { essentialName } from '../core/names.js';
import { BpfError, NotSupportedError, printable } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import type { MapSpec } from '../object/spec.js';
import { BPF_PROG_TYPE } from '../uapi.js';
import type { AttachTarget, FoundType, KernelTypes, ModuleFd } from './kernel-types.js';
import type { LoadedProgram } from './loaded-program.js';
import type { StructOpsValue } from './map-attributes.js';
import type { OpenMap, OpenObject } from './open-object.js';
import type { OpenProgram } from './open-program.js';
import { whyNoStructOps } from './why-no-struct-ops.js';

/** A struct_ops map as the kernel wants it: the object's struct laid out as the kernel's. */
export interface KernelStructOps extends StructOpsValue {
  /** Name of the kernel's struct: `tcp_congestion_ops`. */
  readonly type: string;
  /** The map's value: plain members copied; callbacks wait for their programs' descriptors. */
  readonly value: Uint8Array;
  readonly callbacks: readonly Callback[];
}

/** The struct_ops maps of an object that are to be created, by name. */
export type StructOpsMaps = ReadonlyMap<string, KernelStructOps>;

/** One member that a program implements. */
export interface Callback {
  readonly program: string;
  /** Where its descriptor goes in the value, in bytes. */
  readonly offset: number;
  /** What the program is verified against: the kernel's struct and the member's index in it. */
  readonly typeId: number;
  readonly member: number;
}

/**
 * Matches the struct_ops maps that are to be created with the kernel's types, and sets which of their programs load
 * (libbpf: bpf_object__init_kern_struct_ops_maps, bpf_object_adjust_struct_ops_autoload).
 */
export function matchAllStructOps(object: OpenObject, types: KernelTypes, kernel: Kernel): StructOpsMaps {
  adjustStructOpsPrograms(object);
  const maps = [...object.maps.values()].filter(
    ({ spec, autocreate }) => spec.origin === 'struct_ops' && autocreate,
  );
  return new Map(maps.map((map) => [map.name, matchStructOps(object, map, types, kernel)]));
}

/** Descriptors of the programs into the values of struct_ops maps, which attaching hands over (bpf_map_prepare_vdata). */
export function fillStructOps(maps: StructOpsMaps, programs: readonly LoadedProgram[]): void {
  for (const { value, callbacks } of maps.values()) {
    const view = new DataView(value.buffer);
    for (const { program, offset } of callbacks) {
      const fd = programs.find(({ open }) => open.name === program)?.fd;
      if (fd !== undefined) view.setBigUint64(offset, BigInt(fd), true);
    }
  }
}

/**
 * A struct_ops program is loaded when, and only when, some map that is created uses it; one that no map mentions keeps
 * its own setting (libbpf: bpf_object_adjust_struct_ops_autoload). One that another has replaced is mentioned too.
 */
function adjustStructOpsPrograms(object: OpenObject): void {
  const users = new Map<string, boolean>();
  for (const { origin, slots } of object.spec.maps) {
    if (origin === 'struct_ops') for (const { name } of slots) users.set(name, false);
  }
  for (const { spec, autocreate } of object.maps.values()) {
    if (spec.origin !== 'struct_ops') continue;
    for (const { name } of spec.slots) users.set(name, autocreate || (users.get(name) ?? false));
  }
  for (const [name, wanted] of users) {
    const program = object.progs.get(name);
    if (program?.meaning?.rule.type === BPF_PROG_TYPE.STRUCT_OPS) program.autoload = wanted;
  }
}

/**
 * Matches a map's struct with the kernel's type of that name, member by member: the kernel may have more of them and in
 * another order; what it lacks must be zero (libbpf: bpf_map__init_kern_struct_ops).
 * @throws NotSupportedError naming the member that does not fit
 */
function matchStructOps(object: OpenObject, map: OpenMap, types: KernelTypes, host: Kernel): KernelStructOps {
  const { btf } = object.spec;
  const bytes = object.data.get(map.name);
  const local = btf?.resolve(map.spec.valueTypeId);
  if (btf === undefined || bytes === undefined || local?.kind !== 'struct') {
    throw new BpfError('EINVAL', `create map "${printable(map.name)}": the object does not say what it is`, {
      errno: 22,
    });
  }
  const kernel = kernelTypes(map.spec, local.name, types, host);
  const matcher = new Matcher(object, map, { btf, struct: local, bytes }, kernel);
  local.members.forEach((member, index) => {
    matcher.match(member, index);
  });
  return {
    type: kernel.struct.name,
    valueTypeId: kernel.value.id,
    valueSize: kernel.value.size,
    module: kernel.module,
    value: matcher.value,
    callbacks: matcher.callbacks,
  };
}

/** The member of the kernel's struct that a struct_ops program is verified against; undefined when no map uses it. */
export function structOpsTarget({ name }: OpenProgram, maps: StructOpsMaps): AttachTarget | undefined {
  const uses = [...maps.values()].flatMap(({ callbacks, module }) =>
    callbacks.flatMap((callback) => (callback.program === name ? [{ callback, module }] : [])),
  );
  const [first] = uses;
  if (first === undefined) return undefined;
  const { typeId, member } = first.callback;
  if (uses.some(({ callback }) => callback.typeId !== typeId || callback.member !== member)) {
    throw new BpfError(
      'EINVAL',
      `load program "${printable(name)}": maps use it as different members of struct_ops; write one program for each`,
      { errno: 22 },
    );
  }
  return { btfId: typeId, expectedAttachType: member, ...(first.module && { btfObjFd: first.module.fd }) };
}

interface LocalStruct {
  readonly btf: Btf;
  readonly struct: BtfComposite;
  readonly bytes: Uint8Array;
}

interface KernelStruct {
  readonly btf: Btf;
  readonly module: ModuleFd | undefined;
  /** The operations themselves. */
  readonly struct: BtfComposite;
  /** The wrapper that is the map's value. */
  readonly value: BtfComposite;
  /** Where the operations lie in the wrapper, in bytes. */
  readonly dataOffset: number;
}

function kernelTypes(spec: MapSpec, localName: string, types: KernelTypes, kernel: Kernel): KernelStruct {
  const name = essentialName(localName);
  const found = types.find(`bpf_struct_ops_${name}`, 'struct');
  const value = found?.btf.type(found.id);
  const structId = found && structOf(found, name);
  const struct = structId === undefined ? undefined : found?.btf.type(structId);
  if (found === undefined || value?.kind !== 'struct' || struct?.kind !== 'struct') {
    const { why, since } = whyNoStructOps(kernel, name);
    throw new NotSupportedError(`struct_ops ${name}`, `create map "${printable(spec.name)}": ${why}`, {
      errno: 3,
      ...(since === undefined ? {} : { since }),
    });
  }
  const data = value.members.find(({ type }) => type === struct.id);
  if (data === undefined) {
    throw new BpfError(
      'EINVAL',
      `create map "${printable(spec.name)}": the kernel's bpf_struct_ops_${printable(name)} does not hold a ${printable(name)}`,
      { errno: 22 },
    );
  }
  return { btf: found.btf, module: found.module, struct, value, dataOffset: data.bitOffset / 8 };
}

function structOf({ btf, module }: FoundType, name: string): number | undefined {
  return module === undefined
    ? btf.find(name, 'struct')
    : (btf.findOwn(name, 'struct') ?? btf.find(name, 'struct'));
}

class Matcher {
  readonly value: Uint8Array;
  readonly callbacks: Callback[] = [];
  readonly #object: OpenObject;
  readonly #map: OpenMap;
  readonly #local: LocalStruct;
  readonly #kernel: KernelStruct;

  constructor(object: OpenObject, map: OpenMap, local: LocalStruct, kernel: KernelStruct) {
    this.#object = object;
    this.#map = map;
    this.#local = local;
    this.#kernel = kernel;
    this.value = new Uint8Array(kernel.value.size);
  }

  match(member: BtfMember, index: number): void {
    const { btf, bytes } = this.#local;
    const { btf: kernelBtf, struct, dataOffset } = this.#kernel;
    const from = member.bitOffset / 8;
    const size = btf.sizeOf(member.type);
    const slot = this.#map.spec.slots.find((each) => each.index === index);
    const theirIndex = struct.members.findIndex(({ name }) => name === member.name);
    const theirs = struct.members[theirIndex];
    if (theirs === undefined) {
      // A member the kernel does not have may only be unset.
      const isSet = slot !== undefined || bytes.subarray(from, from + size).some((byte) => byte !== 0);
      if (isSet) throw this.#misfit(member, 'is set, and this kernel has no such member');
      return;
    }
    if (member.bitSize !== 0 || theirs.bitSize !== 0) throw this.#misfit(member, 'is a bitfield');
    const mine = btf.resolve(member.type);
    const type = kernelBtf.resolve(theirs.type);
    if (mine.kind !== type.kind)
      throw this.#misfit(member, `is of kind ${mine.kind} here and of kind ${type.kind} in the kernel`);
    const to = dataOffset + theirs.bitOffset / 8;
    if (mine.kind === 'ptr' && type.kind === 'ptr') {
      if (slot === undefined) return;
      if (kernelBtf.resolve(type.type).kind !== 'func_proto')
        throw this.#misfit(member, 'is no function in the kernel');
      this.#assertCallback(member, slot.name);
      this.callbacks.push({ program: slot.name, offset: to, typeId: struct.id, member: theirIndex });
      return;
    }
    const theirSize = kernelBtf.sizeOf(theirs.type);
    if (size !== theirSize)
      throw this.#misfit(member, `has ${size} bytes here and ${theirSize} in the kernel`);
    this.value.set(bytes.subarray(from, from + size), to);
  }

  #assertCallback(member: BtfMember, name: string): void {
    const type = this.#object.progs.get(name)?.meaning?.rule.type;
    if (type !== BPF_PROG_TYPE.STRUCT_OPS) {
      throw this.#misfit(member, `names "${printable(name)}", which is no SEC("struct_ops") program`);
    }
  }

  #misfit({ name }: BtfMember, why: string): NotSupportedError {
    return new NotSupportedError(
      'struct_ops',
      `create map "${printable(this.#map.name)}": member ${printable(name)} of struct ${printable(this.#local.struct.name)} ${why}`,
      { errno: 95 },
    );
  }
}
