import { openObject } from '@bpfskel/runtime';
import { describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { mapKindOf } from '../../runtime/src/map/kinds.js';
import { LpmTrieMap } from '../../runtime/src/map/lpm-trie.js';
import { QueueMap } from '../../runtime/src/map/queue.js';
import { kernelVersion } from '../../runtime/src/uapi.js';
import { kernelHas } from './facts.js';

const kernel = linuxKernel();
/** Maps of the objects that the running kernel may lack; another one has them. */
const lacking: Readonly<Record<string, boolean>> = {
  of_file: !kernelHas.lsm,
  of_cgroup: kernel.version < kernelVersion(6, 2),
  pages: kernel.version < kernelVersion(6, 9),
};

function load() {
  const object = openObject('test/golden/map_kinds/in.bpf.o');
  for (const map of object.maps.values()) map.autocreate = lacking[map.name] !== true;
  return object.load();
}

describe('an object with maps of every kind', () => {
  it('loads, each map as the kernel has it', () => {
    using live = load();
    const there = [...live.maps].filter(([name]) => lacking[name] !== true);
    expect(there.length).toBeGreaterThan(18);
    for (const [name, map] of there) {
      const { type, flags } = map.info();
      const { name: ofKind } = map.constructor;
      expect([name, type, ofKind]).toEqual([name, map.type, ofKind]);
      expect(mapKindOf(type, flags).types).toContain(type);
      expect(ofKind).not.toBe('OtherMap');
    }
  });

  it('gives its maps the class of their kind without a skeleton, for bytes', () => {
    using live = load();
    const routes = live.maps.get('routes');
    const waiting = live.maps.get('waiting');
    if (!(routes instanceof LpmTrieMap) || !(waiting instanceof QueueMap)) throw new Error('other classes');
    const value = new Uint8Array(8).fill(3);
    routes.set('10.0.0.0/8', value);
    expect(routes.get('10.1.2.3')).toEqual(value);
    expect([...routes.keys()]).toEqual([new Uint8Array([8, 0, 0, 0, 10, 0, 0, 0])]);
    expect(waiting.push(value).pop()).toEqual(value);
  });
});
