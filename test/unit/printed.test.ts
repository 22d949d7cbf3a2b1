import { inspect } from 'node:util';
import { fakeKernel } from '@bpfskel/runtime/testing';
import { describe, expect, it } from 'vitest';
import { xdp_kern } from '../../examples/xdp/xdp.skel.js';
import { printed } from '../../runtime/src/printed.js';

// What console.log() prints of the objects that a skeleton has: what one asks of them, not what they are made of.

function loaded() {
  const kernel = fakeKernel();
  kernel.addDevice('eth0');
  return xdp_kern.openAndLoad({ kernel });
}

describe('console.log() of', () => {
  it('a map tells its name and sizes', () => {
    using skel = loaded();
    expect(inspect(skel.maps.by_protocol, { breakLength: 200 })).toBe(
      "PerCpuArrayMap { name: 'by_protocol', keySize: 4, valueSize: 16, maxEntries: 256 }",
    );
  });

  it('a map that is not in the kernel yet tells the same', () => {
    using open = xdp_kern.open();
    open.maps.by_protocol.maxEntries = 7;
    expect(inspect(open.maps.by_protocol, { breakLength: 200 })).toBe(
      "OpenMap { name: 'by_protocol', keySize: 4, valueSize: 16, maxEntries: 7 }",
    );
  });

  it('a program tells its name and SEC()', () => {
    using open = xdp_kern.open();
    expect(inspect(open.progs.count_packets)).toBe(
      "OpenProgram { name: 'count_packets', section: 'xdp', autoload: true }",
    );
    using skel = loaded();
    expect(inspect(skel.progs.count_packets)).toBe("XdpProgram { name: 'count_packets', section: 'xdp' }");
  });

  it('a link tells what is attached where, and whether it still is', () => {
    using skel = loaded();
    const link = skel.progs.count_packets.attach('eth0');
    expect(inspect(link)).toMatch(
      /^\w*Link { program: 'count_packets', target: 'xdp eth0.*', attached: true }$/,
    );
    link.detach();
    expect(inspect(link)).toMatch(/attached: false }$/);
  });

  it('a skeleton fits on a screen', () => {
    using skel = loaded();
    const text = inspect(skel);
    expect(text).toContain('by_protocol: PerCpuArrayMap {');
    expect(text).not.toContain('kernel');
    expect(text.split('\n').length).toBeLessThan(40);
  });

  it('an object deep inside another tells its class and name', () => {
    using skel = loaded();
    expect(inspect({ a: skel }, { depth: 2 })).toContain("by_protocol: [PerCpuArrayMap 'by_protocol']");
  });

  it('a destroyed map stays readable', () => {
    const skel = loaded();
    skel.destroy();
    expect(inspect(skel.maps.by_protocol)).toContain("name: 'by_protocol'");
  });
});

it('a name cannot speak to the terminal', () => {
  class Thing {}
  const name = '\u001b[2J\n';
  expect(printed(new Thing(), name, { name }, 0, {}, inspect)).toBe("Thing { name: '\\x1B[2J\\n' }");
  expect(printed(new Thing(), name, { name }, -1, {}, inspect)).toBe("[Thing '\\x1B[2J\\n']");
});
