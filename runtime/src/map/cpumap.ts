import { refusal } from '../link/attach-error.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { count } from './count.js';
import { Elements } from './elements.js';
import type { HasFd } from './holder.js';
import { BpfMap, type MapHandle, type MapShape, mapKind } from './map.js';
import { hasCode, mapText } from './map-error.js';
import { programFd, type RedirectValue, redirectValue } from './redirect.js';
import { indexKey } from './word.js';

/** How a CPU takes packets. */
export interface CpuTarget {
  /** Packets that wait for the CPU at most, up to 16384. */
  readonly qsize: number;
  /** An XDP program of `SEC("xdp/cpumap")` that runs on the CPU. Linux 5.9. */
  readonly program?: HasFd | undefined;
}

/** What is in a CPU map. */
export interface MappedCpu {
  readonly qsize: number;
  readonly programId: number | undefined;
}

/**
 * BPF_MAP_TYPE_CPUMAP: CPUs to which XDP programs redirect packets, each with a queue and a kernel thread. Keys are the
 * numbers of possible CPUs. Linux 4.15.
 */
export class CpuMap extends BpfMap implements Iterable<[number, MappedCpu]> {
  readonly #elements: Elements<number, RedirectValue>;

  constructor(handle: MapHandle) {
    super(handle);
    this.#elements = new Elements(handle, indexKey(handle), redirectValue(handle));
  }

  get length(): number {
    return this.handle.maxEntries;
  }

  /** What is there for a CPU, undefined when there is nothing. */
  get(cpu: number): MappedCpu | undefined {
    const value = this.#elements.get(cpu);
    return value && { qsize: value.number, programId: value.program || undefined };
  }

  has(cpu: number): boolean {
    return this.#elements.has(cpu);
  }

  /**
   * Gives a CPU a queue, in place of the one it had. A `qsize` of 0 removes it.
   * @throws BpfError ENODEV when it is no possible CPU, EOVERFLOW when the queue is too large, EINVAL when the program is
   *   not of `SEC("xdp/cpumap")`, ERR_BPF_LAYOUT when the map's values have no room for a program
   */
  set(cpu: number, { qsize, program }: CpuTarget): this {
    const value = { number: qsize, program: programFd(this.handle, program, 'bpf_cpumap_val') };
    try {
      this.#elements.set(cpu, value);
    } catch (error) {
      throw this.#explained(cpu, qsize, error);
    }
    return this;
  }

  #explained(cpu: number, qsize: number, error: unknown): unknown {
    const head = `set ${cpu} of ${mapText(this.handle)}`;
    if (hasCode(error, 'ENODEV')) {
      const why = `it is no possible CPU; those are the integers from 0 to ${this.handle.kernel.possibleCpus() - 1}`;
      return refusal(head, error, { why });
    }
    if (!hasCode(error, 'EOVERFLOW')) return error;
    return refusal(head, error, {
      why: `a queue has room for 16384 packets at most, and ${qsize} were asked for`,
    });
  }

  /** Removes a CPU: what is redirected to it is dropped. False when it was not there. */
  delete(cpu: number): boolean {
    // The kernel says yes for an empty slot.
    return this.has(cpu) && this.#elements.delete(cpu);
  }

  /** Removes every CPU. */
  clear(): void {
    for (const [cpu] of this.entries()) this.delete(cpu);
  }

  /** `[cpu, queue]` of every CPU in the map. */
  *entries(): Generator<[number, MappedCpu], undefined> {
    for (let cpu = 0; cpu < this.length; cpu++) {
      const entry = this.get(cpu);
      if (entry !== undefined) yield [cpu, entry];
    }
  }

  /** The CPUs in the map. */
  *keys(): Generator<number, undefined> {
    for (const [cpu] of this.entries()) yield cpu;
  }

  /** The queues of the CPUs in the map. */
  *values(): Generator<MappedCpu, undefined> {
    for (const [, entry] of this.entries()) yield entry;
  }

  /** Number of CPUs in the map, counted by asking for each. */
  get size(): number {
    return count(this.entries());
  }

  [Symbol.iterator](): Generator<[number, MappedCpu], undefined> {
    return this.entries();
  }
}

/** `cpumap()`: a BPF_MAP_TYPE_CPUMAP in a skeleton. */
export const cpumap = mapKind(
  {
    kindName: 'cpumap',
    types: [BPF_MAP_TYPE.CPUMAP],
    codecs: [],
    open: (handle) => new CpuMap(handle),
  },
  (kind) => (): MapShape<CpuMap> => ({ kind }),
);
