import { fromJson, isBpfError, jsonBigint, snapshot, toJson } from '@bpfskel/runtime';
import { fakeKernel } from '@bpfskel/runtime/testing';
import { describe, expect, it } from 'vitest';
import { kconfig } from '../golden/kconfig/expected.skel.js';
import { Counters, Far, u64_number } from '../golden/u64_number/expected.skel.js';

const message = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return isBpfError(error) ? error.message : String(error);
  }
  return 'nothing was thrown';
};

describe('a skeleton made with --u64 number', () => {
  const beyond = 2 ** 53;
  const counters = (packets: number): Counters => ({
    packets,
    drift: -1,
    part: 2 ** 40 - 1,
    pointer: 5n,
    far: Far.FAR,
    far_bits: Far.NEAR,
  });

  it('has numbers in records and variables, and checks them on their way in', () => {
    using skel = u64_number.openAndLoad({ kernel: fakeKernel() });
    skel.bss.total = beyond - 1;
    skel.bss.total -= 1;
    expect(skel.bss.total).toBe(beyond - 2);
    skel.maps.m.set(1, counters(7));
    expect(skel.maps.m.get(1)).toEqual(counters(7));
    for (const wrong of [beyond, 0.5, Number.NaN]) {
      const sentence = `${wrong} is not an integer that a number holds exactly`;
      expect(message(() => (skel.bss.total = wrong))).toBe(`set bss.total: ${sentence}`);
      expect(message(() => skel.maps.m.set(1, counters(wrong)))).toBe(
        `value of map "m": packets: ${sentence}`,
      );
    }
    const negative = '-1 is negative, and what it is stored in has no sign';
    expect(message(() => (skel.bss.total = -1))).toBe(`set bss.total: ${negative}`);
    expect(message(() => skel.maps.m.set(1, counters(-1)))).toBe(`value of map "m": packets: ${negative}`);
    expect(message(() => skel.maps.m.set(1, { ...counters(1), part: -1 }))).toBe(
      `value of map "m": part: ${negative}`,
    );
    expect([skel.bss.total, skel.maps.m.get(1)?.packets]).toEqual([beyond - 2, 7]);
  });

  it('has bigints in enums with a value that no number holds', () => {
    using skel = u64_number.openAndLoad({ kernel: fakeKernel() });
    expect([Far.NEAR, Far.FAR]).toEqual([0n, 2n ** 60n]);
    skel.bss.far = Far.FAR;
    skel.bss.fars[1] = Far.FAR;
    expect([skel.bss.far, [...skel.bss.fars]]).toEqual([Far.FAR, [Far.NEAR, Far.FAR]]);
  });

  it('checks them on their way out', () => {
    const kernel = fakeKernel();
    using skel = u64_number.openAndLoad({ kernel });
    const value = new Uint8Array(kernel.map('.bss').attributes.valueSize);
    new DataView(value.buffer).setBigUint64(0, 2n ** 53n, true);
    new DataView(value.buffer).setBigUint64(8, 2n ** 53n, true);
    kernel.map('.bss').update(new Uint8Array(4), value, 0n);
    expect(message(() => skel.bss.total)).toBe(
      'read bss.total: 9007199254740992 does not fit a number exactly; generate the skeleton with --u64 bigint to read it',
    );
  });

  it('has JSON of numbers; pointers are bigints still, and written as their size asks for', () => {
    const text =
      '{"packets":7,"drift":-1,"part":1099511627775,"pointer":5,"far":"1152921504606846976","far_bits":0}';
    expect(JSON.stringify(counters(7), jsonBigint)).toBe(text);
    expect(toJson(counters(7))).toBe(text);
    expect(fromJson(Counters, text)).toEqual(counters(7));
    expect(fromJson(Counters, text.replace('"pointer":5', '"pointer":"18446744073709551615"')).pointer).toBe(
      2n ** 64n - 1n,
    );
    expect(message(() => fromJson(Counters, text.replace('7', '"7"')))).toBe(
      'read JSON: packets is a number; the text has "7"',
    );
  });
});

describe('variables of .kconfig', () => {
  const load = () =>
    kconfig.open().load({ kernel: fakeKernel(), kconfig: 'CONFIG_BPF_SYSCALL=y\nCONFIG_IPV6=m\n' });

  it('are what load() found, and can only be read', () => {
    using skel = load();
    const { CONFIG_BPF_SYSCALL, CONFIG_IPV6, LINUX_KERNEL_VERSION } = skel.kconfig;
    expect([CONFIG_BPF_SYSCALL, CONFIG_IPV6, LINUX_KERNEL_VERSION]).toEqual([true, 2, 0x060c00]);
    expect(snapshot(skel.kconfig)).toEqual({ CONFIG_BPF_SYSCALL, CONFIG_IPV6, LINUX_KERNEL_VERSION });
    expect(message(() => Reflect.set(skel.kconfig, 'CONFIG_IPV6', 1))).toMatch(
      /is frozen; set it before load\(\)$/,
    );
  });

  it('are not set before load(), which would overwrite them', () => {
    using open = kconfig.open();
    expect(message(() => Reflect.set(open.kconfig, 'CONFIG_IPV6', 1))).toBe(
      'set kconfig.CONFIG_IPV6: load() fills it from the configuration of the kernel; give load() another one with its option kconfig',
    );
  });
});
