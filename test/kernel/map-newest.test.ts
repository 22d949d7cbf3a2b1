import { describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { insnArray } from '../../runtime/src/map/insn-array.js';
import { rhash } from '../../runtime/src/map/rhash.js';
import { BPF_F_NO_PREALLOC, kernelVersion } from '../../runtime/src/uapi.js';
import { newest_maps } from '../golden/newest_maps/expected.skel.ts';
import { Sample, sample, u32 } from '../unit/live-map.js';
import { mapContract } from './map-contract.js';

const kernel = linuxKernel();
const has = {
  targets: kernel.version >= kernelVersion(6, 19),
  growing: kernel.version >= kernelVersion(7, 2),
};

describe('maps of the newest kernels', () => {
  it('are there, or the kernel that has them is named', () => {
    for (const [name, type, since] of [
      ['targets', 'INSN_ARRAY', '6.19'],
      ['growing', 'RHASH', '7.2'],
    ] as const) {
      using open = newest_maps.open();
      for (const map of Object.values(open.maps)) map.autocreate = map.name === name;
      if (has[name]) open.load().destroy();
      else
        expect(() => open.load()).toThrow(
          `create map "${name}": map type ${type} needs Linux ${since}, this is ${kernel.release}`,
        );
    }
  });
});

// Kernels that have them run the contract: no kernel of the test machines does yet.
if (has.targets) {
  mapContract({
    type: 'INSN_ARRAY',
    shape: insnArray(),
    attributes: {},
    put: (map) => map.set(3, 7),
    see: (map) => map.get(3),
    shown: { orig_off: 7, xlated_off: 0, jitted_off: 0 },
    refuse: (map) => map.set(16, 0),
    refusal: /^set index 16 of map "table": its indexes are the integers from 0 to 15$/,
  });
}
if (has.growing) {
  mapContract({
    type: 'RHASH',
    shape: rhash(u32, Sample),
    attributes: { flags: BPF_F_NO_PREALLOC },
    put: (map) => map.set(3, sample(3)),
    see: (map) => [[...map], map.size],
    shown: [[[3, sample(3)]], 1],
    refuse: (map) => map.set(4, sample(4), { flag: 'exist' }),
    refusal: /^map "table" has no key 4, and flag is 'exist'$/,
  });
}
