import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  isBpfError,
  type LiveObject,
  type LoadableObject,
  openObject,
  type StructOpsMap,
} from '@bpfskel/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import type { LoadOptions } from '../../runtime/src/loader/load.js';
import { kernelVersion } from '../../runtime/src/uapi.js';
import { isRoot } from './facts.js';
import { kernelTypes } from './kernel-types.js';
import { linkContract } from './link-contract.js';

const testdata = (name: string) => fileURLToPath(new URL(`../testdata/${name}`, import.meta.url));
const path = testdata('kernel_features.o');
const built = new URL('../../runtime/dist/index.js', import.meta.url).href;
const pinRoot = `/sys/fs/bpf/bpfskel-test-${process.pid}`;
const kernel = linuxKernel();
const config = kernel.buildConfig();
/** What the kernel does not tell of itself. */
const kconfig = config === undefined ? 'CONFIG_BPF_SYSCALL=y\nCONFIG_HZ=250\nCONFIG_NO_SUCH_THING=n\n' : '';
const symbols = readFileSync('/proc/kallsyms', 'utf8');

const arenas = kernel.version >= kernelVersion(6, 9);
const structOps = kernelTypes().vmlinux.find('bpf_struct_ops_tcp_congestion_ops', 'struct') !== undefined;
const structOpsLinks = kernel.version >= kernelVersion(6, 4);

/** Opens the object with these programs and maps, and nothing else of it. */
function only(...names: string[]): LoadableObject {
  const object = openObject(path);
  for (const program of object.progs.values()) program.autoload = names.includes(program.name);
  for (const map of object.maps.values())
    map.autocreate = map.name.startsWith('.') || names.includes(map.name);
  return object;
}
const load = (object: LoadableObject, options: LoadOptions = {}) =>
  object.load({ pinRoot, kconfig, ...options });

const descriptors = () => readdirSync('/proc/self/fd').length;
const congestionControls = () =>
  readFileSync('/proc/sys/net/ipv4/tcp_available_congestion_control', 'utf8').trim().split(' ');

beforeAll(() => {
  if (isRoot) mkdirSync(pinRoot);
});
afterAll(() => {
  rmSync(pinRoot, { recursive: true, force: true });
});

describe('what a program asks of the kernel by name', () => {
  it('is there: settings, symbols and functions, weak ones as far as the kernel has them', () => {
    const before = descriptors();
    {
      using live = load(only('ask', 'shared'));
      expect(live.progs.get('ask')?.testRun().returnValue).toBe(0);
      const bss = live.data.get('.bss')?.view();
      const hz = Number(/^CONFIG_HZ=(\d+)$/m.exec(config ?? kconfig)?.[1]);
      const known = /^[0-9a-f]+ \w vfs_read$/m.test(symbols) ? 4 : 0;
      expect([bss?.getUint32(0, true), bss?.getUint32(4, true)]).toEqual([kernel.version, hz]);
      expect(bss?.getUint32(8, true)).toBe(1 | known);
    }
    expect(descriptors()).toBe(before);
  });

  it('may be settled by the user instead', () => {
    using live = load(only('ask', 'shared'), {
      kconfig: 'CONFIG_HZ=12345\nCONFIG_NO_SUCH_THING=y\nCONFIG_BPF_SYSCALL=y\n',
    });
    live.progs.get('ask')?.testRun();
    const bss = live.data.get('.bss')?.view();
    expect(bss?.getUint32(4, true)).toBe(12345);
    expect((bss?.getUint32(8, true) ?? 0) & 3).toBe(3);
  });

  it.runIf(/ runqueues$/m.test(symbols))('has typed variables', () => {
    using live = load(only('per_cpu'));
    live.progs.get('per_cpu')?.testRun();
    expect(live.data.get('.bss')?.view().getUint32(8, true)).toBe(1);
  });
});

describe('a map pinned by name', () => {
  it('is shared by processes, and outlives both', () => {
    const child = `
      import { openObject } from '${built}';
      const object = openObject('${path}');
      for (const program of object.progs.values()) program.autoload = program.name === 'ask';
      for (const map of object.maps.values()) map.autocreate = map.name.startsWith('.') || map.name === 'shared';
      using live = object.load({ pinRoot: '${pinRoot}', kconfig: ${JSON.stringify(kconfig)} });
      live.progs.get('ask').testRun();
      console.log(live.maps.get('shared').info().id);
    `.replace('using live', 'const live');
    const run = () => spawnSync(process.execPath, ['--input-type=module', '-e', child], { encoding: 'utf8' });
    rmSync(`${pinRoot}/shared`, { force: true });
    const outputs = [run(), run()].map(({ stdout, stderr }) => stdout.trim() || stderr);
    expect(outputs[0]).toMatch(/^\d+$/);
    expect(outputs[1]).toBe(outputs[0]);
    using live = load(only('ask', 'shared'));
    const shared = live.maps.get('shared');
    const value = new Uint8Array(8);
    kernel.mapLookup(shared?.fd ?? -1, new Uint8Array(4), value);
    expect([String(shared?.info().id), new DataView(value.buffer).getBigUint64(0, true)]).toEqual([
      outputs[0],
      2n,
    ]);
  });

  it('must be as the object declares it', () => {
    load(only('ask', 'shared')).destroy();
    const object = only('ask', 'shared');
    const shared = object.maps.get('shared');
    if (shared !== undefined) shared.maxEntries = 7;
    expect(() => load(object)).toThrow(
      `create map "shared": the map pinned at ${pinRoot}/shared is another one: max_entries 1 there and 7 here. Remove the pin, or declare the map as it is there`,
    );
  });

  it('makes the directory of its pin', () => {
    const root = `${pinRoot}/made`;
    load(only('ask', 'shared'), { pinRoot: root }).destroy();
    expect(existsSync(`${root}/shared`)).toBe(true);
    rmSync(root, { recursive: true });
  });

  it('is unpinned when the rest does not load', () => {
    const root = `${pinRoot}/gone`;
    mkdirSync(root);
    const object = only('ask', 'shared');
    const bss = object.maps.get('.bss');
    if (bss !== undefined) bss.autocreate = false;
    expect(() => load(object, { pinRoot: root })).toThrow('it uses map .bss, which was left out');
    expect(readdirSync(root)).toEqual([]);
  });

  it.each([
    ['/tmp', /^pin map "shared" at \/tmp\/shared: \/tmp is not in a BPF file system .*mount -t bpf bpf/],
    [
      `${pinRoot}/no/such`,
      /^pin map "shared" at \S+: there is no directory \S+\/no\/such .*Create it, inside a BPF file system/,
    ],
  ])('cannot be pinned in %s, and it says why', (root, sentence) => {
    expect(() => load(only('ask', 'shared'), { pinRoot: root })).toThrow(sentence);
  });
});

describe.runIf(arenas)('an arena', () => {
  it('holds variables that both sides see, wherever it lies, once and again', () => {
    const before = descriptors();
    for (const _round of [1, 2]) {
      const live = load(only('add', 'arena'));
      const memory = live.data.get('arena');
      expect(memory?.view().getBigUint64(0, true)).toBe(40n);
      live.progs.get('add')?.testRun();
      expect(memory?.view().getBigUint64(0, true)).toBe(42n);
      const stale = memory?.view();
      live.destroy();
      // Reading it now must not end the process.
      expect(stale?.getBigUint64(0, true)).toBe(0n);
    }
    expect(descriptors()).toBe(before);
  });
});

const schedulers = kernelTypes().vmlinux.find('bpf_struct_ops_sched_ext_ops', 'struct') !== undefined;
describe.runIf(!schedulers)('a scheduler', () => {
  it('is refused by a kernel that has none, which says what it takes', () => {
    const before = descriptors();
    expect(() => openObject(testdata('sched_ext.o')).load()).toThrow(
      /^create map "scheduler": this kernel.* has no struct_ops of type sched_ext_ops.*CONFIG_SCHED_CLASS_EXT/,
    );
    expect(descriptors()).toBe(before);
  });
});

/** Counts how often the kernel had it when it was asked for. */
let lookFor: () => void = () => undefined;
linkContract({
  name: 'a struct_ops map',
  when: structOps && structOpsLinks,
  load: () => {
    const live = load(only('by_link', 'ssthresh', 'cong_avoid', 'undo_cwnd'));
    let found = 0;
    lookFor = () => {
      if (congestionControls().includes('bpfskel_link')) found++;
    };
    return {
      map: live.maps.get('by_link') as unknown as StructOpsMap,
      runs: () => found,
      close: () => live.destroy(),
    };
  },
  attach: ({ map }) => map.attach(),
  trigger: () => lookFor(),
  twice: /something of its name is registered already/,
});

describe.runIf(structOps)('a congestion control', () => {
  const programs = ['ssthresh', 'cong_avoid', 'undo_cwnd'];
  it.each([
    ['by its value', 'by_value', 'bpfskel_value'],
    ...(structOpsLinks ? [['by a link', 'by_link', 'bpfskel_link']] : []),
  ])('is registered %s, and gone after detach', (_name, map, registered) => {
    const before = descriptors();
    {
      using live = load(only(map, ...programs));
      live.attach();
      expect([...live.links.keys()]).toEqual([map]);
      expect(congestionControls()).toContain(registered);
      live.detach();
      expect(congestionControls()).not.toContain(registered);
    }
    expect(descriptors()).toBe(before);
  });

  const map = (live: LiveObject, name: string) => live.maps.get(name) as unknown as StructOpsMap;

  it('is registered alone, by its map', () => {
    const before = descriptors();
    {
      using live = load(only('by_value', ...programs));
      const link = map(live, 'by_value').attach();
      expect(congestionControls()).toContain('bpfskel_value');
      link.detach();
      expect(congestionControls()).not.toContain('bpfskel_value');
      expect(() => live.attach()).toThrow(
        'is registered once (EBUSY). Declare it in SEC(".struct_ops.link")',
      );
    }
    expect(descriptors()).toBe(before);
  });

  it.runIf(structOpsLinks)('of links is registered again, and another map takes its place', () => {
    using live = load(only('by_link', 'in_its_place', ...programs));
    map(live, 'by_link').attach().detach();
    using link = map(live, 'by_link').attach();
    expect(() => map(live, 'in_its_place').attach()).toThrow('something of its name is registered already');
    link.update(map(live, 'in_its_place'));
    expect(congestionControls()).toContain('bpfskel_link');
    link.update(map(live, 'by_link'));
    link.detach();
    expect(congestionControls()).not.toContain('bpfskel_link');
  });

  it.runIf(structOpsLinks)('gives its place to none of another name, or without links', () => {
    using live = load(only('by_link', 'by_value', ...programs));
    using link = map(live, 'by_link').attach();
    expect(() => link.update(map(live, 'by_value'))).toThrow(
      'update link of "by_link" to "by_value": the kernel takes a map of the same struct_ops',
    );
    expect(congestionControls()).toContain('bpfskel_link');
    expect(congestionControls()).not.toContain('bpfskel_value');
  });

  it('is registered once under its name', () => {
    using _first = attached('by_value');
    expect(() => attached('by_value')).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^attach "by_value" to struct_ops: /) }),
    );
  });

  function attached(map: string) {
    const live = load(only(map, ...programs));
    try {
      live.attach();
      return live;
    } catch (error) {
      live.destroy();
      throw error;
    }
  }
});

describe('a process without privileges', () => {
  it('is told what it lacks, and never of the verifier', () => {
    const child = `
      import { openObject } from '${built}';
      for (const path of ['${testdata('beside.o')}', '${testdata('legacy.o')}']) {
        try { openObject(path).load().destroy(); console.log('loaded'); }
        catch (error) { console.log(error.code + ': ' + error.message); }
      }
    `;
    const nobody = [
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      '--inh-caps=-all',
      '--bounding-set=-all',
    ];
    const { stdout, stderr } = spawnSync(
      'setpriv',
      [...nobody, process.execPath, '--input-type=module', '-e', child],
      { encoding: 'utf8' },
    );
    const lines = stdout.trim().split('\n');
    expect(stderr).toBe('');
    expect(lines).toEqual([
      expect.stringMatching(
        /^EPERM: load program "\w+": this process lacks CAP_BPF.*\(EPERM\)\. Run as root, or give/,
      ),
      expect.stringMatching(/^EPERM: create map "\w+": this process lacks CAP_BPF.*setcap cap_bpf\+ep NODE$/),
    ]);
  });
});

describe('an object the kernel has no memory or patience for', () => {
  it('names the map that is too large', () => {
    const object = only('ask', 'shared');
    const shared = object.maps.get('shared');
    if (shared !== undefined) shared.maxEntries = 0xffffffff;
    let error: unknown;
    try {
      load(object, { pinRoot: `${pinRoot}/none` }).destroy();
    } catch (caught) {
      error = caught;
    }
    expect(isBpfError(error) && ['E2BIG', 'ENOMEM'].includes(error.code)).toBe(true);
    expect(isBpfError(error) && error.message).toMatch(
      /^create map "shared": .*4294967295 entries of 4 \+ 8 bytes/,
    );
  });
});
