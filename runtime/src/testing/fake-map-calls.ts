import { SyscallError } from '../errors.js';
import type {
  Fd,
  MapBatch,
  MapBatchResult,
  MapCreate,
  MapInfo,
  MapWriteBatch,
  MapWriteResult,
} from '../kernel/kernel.js';
import { BPF_ANY, BPF_F_LOCK, BPF_MAP_TYPE, kernelVersion } from '../uapi.js';
import type { FakeMap } from './fake-map.js';
import { lookupCpu, namesCpu, updateCpu } from './fake-one-cpu.js';
import { FakeTraffic } from './fake-traffic.js';
import { makeMap } from './make-map.js';
import { refusal } from './refusal.js';
import { unique } from './unique.js';

/** The map commands of bpf(2). */
export abstract class FakeMapCalls extends FakeTraffic {
  /** The maps that something holds: a descriptor, a pin, or another map. */
  get maps(): readonly FakeMap[] {
    const held = this.held().flatMap((object) => (object.kind === 'map' ? [object.map] : []));
    return unique(held.flatMap((map) => [map, ...map.inner()]));
  }

  mapCreate(attributes: MapCreate): Fd {
    this.enter('mapCreate', attributes.name);
    const map = makeMap(attributes, this.nextId(), {
      version: this.version,
      pageSize: this.pageSize,
      littleEndian: this.littleEndian,
      possibleCpus: () => this.possibleCpus(),
      programBehind: (fd) => this.descriptors.get(fd, 'program', 'bpf(BPF_MAP_UPDATE_ELEM)').program,
      mapBehind: (fd) => this.mapOf(fd, 'MAP_UPDATE_ELEM'),
      ownerBehind: (fd, type) => this.#ownerBehind(fd, type),
      perfEventBehind: (fd) => this.descriptors.get(fd, 'perf_event', 'bpf(BPF_MAP_UPDATE_ELEM)').event,
    });
    return this.descriptors.open({ kind: 'map', map });
  }

  mapLookup(fd: Fd, key: Uint8Array | null, value: Uint8Array, flags = BPF_ANY): boolean {
    this.script.check('mapLookup');
    const map = this.mapOf(fd, 'MAP_LOOKUP_ELEM');
    return namesCpu(flags) ? lookupCpu(map, key, value, flags, this.version) : map.lookup(key, value);
  }

  mapUpdate(fd: Fd, key: Uint8Array | null, value: Uint8Array, flags = BPF_ANY): void {
    const map = this.mapOf(fd, 'MAP_UPDATE_ELEM');
    this.enter('mapUpdate', map.name);
    if (map.frozen) throw refusal('bpf(BPF_MAP_UPDATE_ELEM)', 'EPERM');
    if (namesCpu(flags)) {
      updateCpu(map, key, value, flags, this.version);
      return;
    }
    // Nothing else runs here that could hold the lock.
    map.update(key, value, flags & ~BPF_F_LOCK);
  }

  mapDelete(fd: Fd, key: Uint8Array): boolean {
    const map = this.mapOf(fd, 'MAP_DELETE_ELEM');
    this.enter('mapDelete', map.name);
    if (map.frozen) throw refusal('bpf(BPF_MAP_DELETE_ELEM)', 'EPERM');
    return map.delete(key);
  }

  mapLookupAndDelete(fd: Fd, key: Uint8Array | null, value: Uint8Array): boolean {
    const map = this.mapOf(fd, 'MAP_LOOKUP_AND_DELETE_ELEM');
    this.enter('mapLookupAndDelete', map.name);
    // Queues had it from the start, hashes got it later.
    if (key !== null && this.version < kernelVersion(5, 14)) {
      throw refusal('bpf(BPF_MAP_LOOKUP_AND_DELETE_ELEM)', 'ENOTSUPP');
    }
    return map.take(key, value);
  }

  mapNextKey(fd: Fd, key: Uint8Array | null, next: Uint8Array): boolean {
    this.script.check('mapNextKey');
    return this.mapOf(fd, 'MAP_GET_NEXT_KEY').nextKey(key, next);
  }

  mapFreeze(fd: Fd): void {
    const map = this.mapOf(fd, 'MAP_FREEZE');
    this.enter('mapFreeze', map.name);
    if (map.frozen) throw refusal('bpf(BPF_MAP_FREEZE)', 'EBUSY');
    map.frozen = true;
  }

  mapLookupBatch(fd: Fd, batch: MapBatch): MapBatchResult {
    this.script.check('mapLookupBatch');
    if (this.version < kernelVersion(5, 6)) throw refusal('bpf(BPF_MAP_LOOKUP_BATCH)', 'EINVAL');
    return this.mapOf(fd, 'MAP_LOOKUP_BATCH').batch(batch);
  }

  mapUpdateBatch(fd: Fd, batch: MapWriteBatch): MapWriteResult {
    const map = this.mapOf(fd, 'MAP_UPDATE_BATCH');
    return this.#writeBatch('mapUpdateBatch', map, () => map.updateBatch(batch));
  }

  mapDeleteBatch(fd: Fd, batch: Omit<MapWriteBatch, 'values'>): MapWriteResult {
    const map = this.mapOf(fd, 'MAP_DELETE_BATCH');
    return this.#writeBatch('mapDeleteBatch', map, () => map.deleteBatch(batch));
  }

  #writeBatch(
    call: 'mapUpdateBatch' | 'mapDeleteBatch',
    map: FakeMap,
    write: () => MapWriteResult,
  ): MapWriteResult {
    const syscall = `bpf(BPF_${call === 'mapUpdateBatch' ? 'MAP_UPDATE_BATCH' : 'MAP_DELETE_BATCH'})`;
    try {
      this.enter(call, map.name);
      if (this.version < kernelVersion(5, 6)) throw refusal(syscall, 'EINVAL');
      if (map.frozen) throw refusal(syscall, 'EPERM');
      return write();
    } catch (error) {
      if (error instanceof SyscallError) return { count: 0, refusal: error };
      throw error;
    }
  }

  mapById(id: number): Fd {
    this.enter('mapById');
    const map = this.maps.find((candidate) => candidate.id === id);
    if (map === undefined) throw refusal('bpf(BPF_MAP_GET_FD_BY_ID)', 'ENOENT', `map id ${id}`);
    return this.descriptors.open({ kind: 'map', map });
  }

  mapInfo(fd: Fd): MapInfo {
    this.script.check('mapInfo');
    return this.mapOf(fd, 'OBJ_GET_INFO_BY_FD').info();
  }

  #ownerBehind(fd: Fd, type: number): unknown {
    const object = this.descriptors.find(fd);
    switch (object?.kind) {
      case 'socket':
        return type === BPF_MAP_TYPE.SK_STORAGE ? object : badOwner();
      case 'process':
        return type === BPF_MAP_TYPE.TASK_STORAGE ? object.pid : badOwner();
      case 'place':
        return type === BPF_MAP_TYPE.CGRP_STORAGE || type === BPF_MAP_TYPE.INODE_STORAGE
          ? object.path
          : badOwner();
      case 'file':
        return type === BPF_MAP_TYPE.INODE_STORAGE ? object.path : badOwner();
      default:
        return badOwner();
    }
  }

  protected mapOf(fd: Fd, command: string): FakeMap {
    return this.descriptors.get(fd, 'map', `bpf(BPF_${command})`).map;
  }
}

function badOwner(): never {
  throw refusal('bpf(BPF_MAP_LOOKUP_ELEM)', 'EBADF');
}
