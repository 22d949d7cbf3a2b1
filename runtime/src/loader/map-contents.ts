import { BpfError, printable } from '../errors.js';
import { ERRNO } from '../kernel/errno.js';
import type { Fd, Kernel, Mapping } from '../kernel/kernel.js';
import { refusal } from '../link/attach-error.js';
import type { ObjectSpec } from '../object/spec.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import type { CreatedMap } from './created-map.js';
import type { Ownership } from './live-object.js';
import type { LoadedProgram } from './loaded-program.js';
import { isFrozen } from './map-attributes.js';
import type { OpenMap, OpenObject } from './open-object.js';

/**
 * Puts a section's initial bytes into its map, and freezes it where programs may only read: the verifier then takes the
 * contents for constants.
 */
export function fill(kernel: Kernel, object: OpenObject, { name, spec }: OpenMap, fd: Fd): void {
  const bytes = object.data.get(name) ?? new Uint8Array(0);
  const value = new Uint8Array(spec.valueSize);
  value.set(bytes.subarray(0, value.length));
  explained(`fill map "${printable(name)}"`, () => kernel.mapUpdate(fd, new Uint8Array(4), value));
  if (isFrozen(spec)) explained(`freeze map "${printable(name)}"`, () => kernel.mapFreeze(fd));
}

/** Enters the inner maps of a map that is initialised statically (libbpf: init_map_in_map_slots). */
export function enterInnerMaps(
  kernel: Kernel,
  spec: ObjectSpec,
  { name, spec: { slots } }: OpenMap,
  fd: Fd,
  maps: readonly CreatedMap[],
): void {
  for (const slot of slots) {
    if (slot.kind !== 'map') continue;
    const inner = maps.find((map) => map.open.name === slot.name)?.fd;
    if (inner === undefined) {
      throw new BpfError(
        'ERR_BPF_STATE',
        `fill map "${printable(name)}": slot ${slot.index} wants map "${printable(slot.name)}", which was not created`,
      );
    }
    explained(`fill map "${printable(name)}", slot ${slot.index}`, () =>
      kernel.mapUpdate(fd, word(slot.index, spec), word(inner, spec)),
    );
  }
}

/** Maps an arena where it wants to be (`map_extra`), and puts the object's `__arena` globals at its start. */
export function mapArena(
  object: OpenObject,
  { name, spec, maxEntries }: OpenMap,
  ownership: Ownership,
  { fd, reused }: { readonly fd: Fd; readonly reused: boolean },
): Mapping {
  const { kernel } = ownership;
  const address = spec.mapExtra === 0n ? undefined : spec.mapExtra;
  const arena = explained(`map arena "${printable(name)}" into memory`, () =>
    kernel.mmap(fd, 0, maxEntries * kernel.pageSize, true, address),
  );
  ownership.onClose(() => arena.close());
  const globals = object.data.get(name);
  if (globals !== undefined && !reused) new Uint8Array(arena.buffer).set(globals);
  return arena;
}

/** Static initialisers of program arrays, which need the programs (libbpf: bpf_object_init_prog_arrays). */
export function fillProgramArrays(
  { spec }: OpenObject,
  kernel: Kernel,
  maps: readonly CreatedMap[],
  programs: readonly LoadedProgram[],
): void {
  for (const { open, fd } of maps) {
    if (fd === undefined || open.spec.type !== BPF_MAP_TYPE.PROG_ARRAY) continue;
    for (const slot of open.spec.slots) {
      if (slot.kind !== 'program') continue;
      const program = programs.find((candidate) => candidate.open.name === slot.name);
      const head = `fill map "${printable(open.name)}", slot ${slot.index}`;
      if (program === undefined) {
        throw new BpfError(
          'ERR_BPF_STATE',
          `${head}: program "${printable(slot.name)}" is not loaded; set its autoload, or leave the map out (autocreate = false)`,
          { errno: ERRNO.EBADF },
        );
      }
      explained(head, () => kernel.mapUpdate(fd, word(slot.index, spec), word(program.fd, spec)));
    }
  }
}

/** A 32-bit key or descriptor as maps hold it. */
function word(value: number, spec: ObjectSpec): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, spec.byteOrder === 'little');
  return bytes;
}

/** What `action` gives; a refusal gets `head` in front. */
function explained<T>(head: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw refusal(head, error);
  }
}
