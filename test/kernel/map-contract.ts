import { describe, expect, it } from 'vitest';
import type { MapCreate } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { mapKindOf } from '../../runtime/src/map/kinds.js';
import type { BpfMap, MapShape } from '../../runtime/src/map/map.js';
import { BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { type LiveMap, liveMap } from '../unit/live-map.js';
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
  /** Puts something into the map. */
  put(map: M): void;
  /** What the map shows now. */
  see(map: M): unknown;
  /** What it shows after put(). */
  readonly shown: unknown;
  /** Something the map refuses, and in which words. */
  refuse(map: M): unknown;
  readonly refusal: RegExp;
  /** What the type can do besides, for a test of its own each. */
  readonly more?: Readonly<Record<string, (map: M) => void>>;
}

const kernel = linuxKernel();

/** What every map does: it holds what was put in, says what it refuses, and ends with its object. */
export function mapContract<M extends BpfMap>(one: MapCase<M>): void {
  const { type, variant, when = true, shape, more = {} } = one;
  describe(`a ${type} map${variant === undefined ? '' : ` ${variant}`}`, () => {
    const attributes = {
      type: BPF_MAP_TYPE[type],
      name: 'table',
      keySize: 4,
      valueSize: 16,
      maxEntries: 16,
      ...one.attributes,
    };
    const using = (test: (live: LiveMap<M>) => void) => () => {
      const before = openFds();
      const live = liveMap(kernel, shape, attributes);
      try {
        test(live);
      } finally {
        live.destroy();
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
        expect(one.refusal.source).toContain('map "table"');
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
        expect(mapKindOf(handle.type)).toBe(shape.kind);
        expect(shape.kind.open(handle, undefined, undefined)).toBeInstanceOf(map.constructor);
        expect(map.info()).toMatchObject({ type: handle.type, name: 'table' });
      }),
    );

    for (const [name, test] of Object.entries(more)) {
      it.runIf(when)(
        name,
        using(({ map }) => test(map)),
      );
    }
  });
}
