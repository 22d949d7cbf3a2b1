import type { Codec } from '../codec/codec.js';
import { count } from './count.js';
import { Elements } from './elements.js';
import type { HasFd } from './holder.js';
import { BpfMap, type MapHandle } from './map.js';
import { operationError } from './map-error.js';
import type { SetOptions } from './options.js';
import { programFd, type RedirectValue, redirectValue } from './redirect.js';

/** A device in a device map, with a program for what is redirected to it. */
export interface DeviceTarget {
  /** Name, or index. */
  readonly device: string | number;
  /** An XDP program of `SEC("xdp/devmap")` that runs before the packet is sent. Linux 5.8. */
  readonly program?: HasFd | undefined;
}

/** What is in a device map. */
export interface MappedDevice {
  readonly ifindex: number;
  /** Undefined for a device of another network namespace. */
  readonly name: string | undefined;
  readonly programId: number | undefined;
}

/** A map of network devices, to which XDP programs redirect packets. A device that goes away leaves the map. */
export abstract class DeviceMap extends BpfMap implements Iterable<[number, MappedDevice]> {
  readonly #elements: Elements<number, RedirectValue>;

  constructor(handle: MapHandle, key: Codec<number>) {
    super(handle);
    this.#elements = new Elements(handle, key, redirectValue(handle));
  }

  /** What is under `key`, undefined when there is nothing. */
  get(key: number): MappedDevice | undefined {
    const value = this.#elements.get(key);
    // An array's empty slot has no device.
    if (value === undefined || value.number === 0) return undefined;
    const { number: ifindex, program } = value;
    return { ifindex, name: this.handle.kernel.ifname(ifindex), programId: program || undefined };
  }

  has(key: number): boolean {
    return this.get(key) !== undefined;
  }

  /**
   * Puts a device under `key`: by name, by index, or as `{ device, program }`.
   * @throws BpfError ENODEV when there is no such device in this network namespace, EINVAL when the program is not of
   *   `SEC("xdp/devmap")`, ERR_BPF_LAYOUT when the map's values have no room for a program
   */
  set(key: number, target: string | number | DeviceTarget, options?: SetOptions): this {
    const { device, program } = typeof target === 'object' ? target : { device: target };
    const ifindex = typeof device === 'number' ? device : this.#ifindex(device);
    const value = { number: ifindex, program: programFd(this.handle, program, 'bpf_devmap_val') };
    this.#elements.set(key, value, options);
    return this;
  }

  /** Removes the device under `key`. False when there was none. */
  delete(key: number): boolean {
    // The kernel says yes for an empty slot of an array.
    return this.has(key) && this.#elements.delete(key);
  }

  /** Removes every device. */
  clear(): void {
    for (const [key] of this.entries()) this.delete(key);
  }

  /** `[key, device]` of everything in the map. */
  *entries(): Generator<[number, MappedDevice], undefined> {
    for (const key of this.#elements.keys()) {
      const device = this.get(key);
      if (device !== undefined) yield [key, device];
    }
  }

  /** Every key under which there is a device. */
  *keys(): Generator<number, undefined> {
    for (const [key] of this.entries()) yield key;
  }

  /** Every device in the map. */
  *values(): Generator<MappedDevice, undefined> {
    for (const [, device] of this.entries()) yield device;
  }

  /** Number of devices, counted by walking the map. */
  get size(): number {
    return count(this.entries());
  }

  [Symbol.iterator](): Generator<[number, MappedDevice], undefined> {
    return this.entries();
  }

  #ifindex(name: string): number {
    try {
      return this.handle.kernel.ifindex(name);
    } catch (error) {
      throw operationError(this.handle, error, 'put a device into');
    }
  }
}
