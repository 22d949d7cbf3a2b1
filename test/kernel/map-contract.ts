import { describe, expect, it } from 'vitest';
import type { MapCreate } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { hash } from '../../runtime/src/map/hash.js';
import { mapKindOf } from '../../runtime/src/map/kinds.js';
import type { BpfMap, MapShape } from '../../runtime/src/map/map.js';
import { queue } from '../../runtime/src/map/queue.js';
import { openMapById, openPinnedMap } from '../../runtime/src/open-map.js';
import { BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { BtfBuilder } from '../unit/btf-builder.js';
import { type LiveMap, liveMap, u32 } from '../unit/live-map.js';
import { openFds } from './link-contract.js';

/** What one map type brings to the contract. */
export interface MapCase<M extends BpfMap> {
  readonly type: keyof typeof BPF_MAP_TYPE;
  /** What sets it apart from other cases of the same type. */
  readonly variant?: string;
  /** False where the running kernel lacks it; then another kernel runs it. */
  readonly when?: boolean;
  readonly shape: MapShape<M>;
  readonly attributes: Partial<MapCreate>;
  /** Its name, where that is not `table`. */
  readonly name?: string;
  /** Makes it where attributes alone do not: by an object. */
  readonly make?: () => LiveMap<M>;
  /** What the maps in a map of maps are. */
  readonly inner?: MapCreate;
  /** BTF that the type insists on: makes the types of key and value. */
  readonly types?: (btf: BtfBuilder) => { readonly key: number; readonly value: number };
  /** Puts something into the map. */
  put(map: M): void;
  /** Closes what put() and its like opened, at the end of a test. */
  end?(): void;
  /** What the map shows now. */
  see(map: M): unknown;
  /** False where only one opening of the map in a process can show it: perf events, memory at a fixed address. */
  readonly shared?: boolean;
  /** What it shows after put(). */
  readonly shown: unknown;
  /** Something the map refuses, and in which words. */
  refuse(map: M): unknown;
  readonly refusal: RegExp;
  /** What the type can do besides, for a test of its own each. */
  readonly more?: Readonly<Record<string, (map: M) => void>>;
}

const kernel = linuxKernel();

function loadTypes(types: NonNullable<MapCase<BpfMap>['types']>) {
  const btf = new BtfBuilder();
  const { key, value } = types(btf);
  return { btfFd: kernel.btfLoad(btf.bytes()), btfKeyTypeId: key, btfValueTypeId: value };
}

/** What every map does: it holds what was put in, says what it refuses, and ends with its object. */
export function mapContract<M extends BpfMap>(one: MapCase<M>): void {
  const { type, variant, when = true, shape, name = 'table', shared = true, more = {} } = one;
  describe(`a ${type} map${variant === undefined ? '' : ` ${variant}`}`, () => {
    const attributes = {
      type: BPF_MAP_TYPE[type],
      name,
      keySize: 4,
      valueSize: 16,
      maxEntries: 16,
      ...one.attributes,
    };
    const using = (test: (live: LiveMap<M>) => void) => () => {
      const before = openFds();
      const typed = one.types && loadTypes(one.types);
      const live = one.make?.() ?? liveMap(kernel, shape, { ...attributes, ...typed }, one.inner);
      if (typed !== undefined) kernel.close(typed.btfFd);
      try {
        test(live);
      } finally {
        live.destroy();
        one.end?.();
      }
      expect(openFds()).toBe(before);
    };

    it.runIf(when)(
      'holds what was put in',
      using(({ map }) => {
        expect(one.see(map)).not.toEqual(one.shown);
        one.put(map);
        expect(one.see(map)).toEqual(one.shown);
      }),
    );

    it.runIf(when)(
      'names itself when it refuses',
      using(({ map }) => {
        expect(() => one.refuse(map)).toThrow(one.refusal);
        expect(one.refusal.source).toContain(`map "${name}"`);
      }),
    );

    it.runIf(when)(
      'is closed with its object',
      using(({ map, destroy }) => {
        one.put(map);
        destroy();
        expect(() => one.see(map)).toThrow(expect.objectContaining({ code: 'ERR_BPF_STATE' }));
      }),
    );

    it.runIf(when)(
      'has the class of its kind with types and without',
      using(({ map, handle }) => {
        expect(mapKindOf(handle.type, handle.flags)).toBe(shape.kind);
        expect(shape.kind.open(handle, undefined, undefined)).toBeInstanceOf(map.constructor);
        expect(map.info()).toMatchObject({ type: handle.type, name });
      }),
    );

    it.runIf(when)(
      'is the same map through its pin and by its id',
      using(({ map }) => {
        one.put(map);
        const path = `/sys/fs/bpf/contract_${process.pid}`;
        map.pin(path);
        try {
          using pinned = openPinnedMap(path, shape);
          if (shared) expect(one.see(pinned)).toEqual(one.shown);
          expect([pinned.name, pinned.info()]).toEqual([name, map.info()]);
        } finally {
          kernel.unpin(path);
        }
        using again = openMapById(map.info().id, shape);
        expect(again.info()).toEqual(map.info());
        again.close();
        expect(() => one.see(again)).toThrow(`use map "${name}": it is closed`);
        expect(() => openPinnedMap(path, shape)).toThrow(/ENOENT/);
        const wrong: () => unknown =
          type === 'QUEUE'
            ? () => openMapById(map.info().id, hash(u32, u32))
            : () => openMapById(map.info().id, queue(u32));
        expect(wrong).toThrow(/^open map id \d+: it is a BPF_MAP_TYPE_\w+, and not a BPF_MAP_TYPE_/);
      }),
    );

    for (const [title, test] of Object.entries(more)) {
      it.runIf(when)(
        title,
        using(({ map }) => test(map)),
      );
    }
  });
}
