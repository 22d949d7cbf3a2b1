import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { openObject, VerifierError } from '@bpfskel/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const example = (path: string) => new URL(`../../examples/${path}`, import.meta.url).pathname;
const descriptors = () => readdirSync('/proc/self/fd').length;
/** Ids of every program, map and link in the kernel. */
const inKernel = () =>
  ['prog', 'map', 'link'].map((what) =>
    JSON.parse(execFileSync('bpftool', ['-j', what, 'show'], { encoding: 'utf8' })).map(
      (entry: { id: number }) => entry.id,
    ),
  );

describe('a loaded object', () => {
  let before: { fds: number; kernel: unknown };
  beforeEach(() => {
    // The first use opens what the process keeps: koffi's library, the epoll descriptor.
    openObject(example('execsnoop/execsnoop_kern.o')).load().destroy();
    before = { fds: descriptors(), kernel: inKernel() };
  });
  afterEach(() => {
    expect({ fds: descriptors(), kernel: inKernel() }).toEqual(before);
  });

  it('runs on its tracepoints, relocated against this kernel, and delivers records', () => {
    const object = openObject(example('execsnoop/execsnoop_kern.o'));
    new DataView(object.data.get('.rodata')?.buffer ?? new ArrayBuffer(0)).setUint32(0, process.pid, true);
    using live = object.load();
    live.attach();
    spawnSync('/bin/true', ['one', 'two']);
    const records: Uint8Array[] = [];
    const events = live.maps.get('events') as unknown as { consume(fn: (bytes: Uint8Array) => void): number };
    events.consume((bytes) => records.push(bytes));
    const text = new TextDecoder().decode(records[0]?.subarray(32)).split('\0')[0];
    expect(text).toBe('/bin/true one two');
    expect(new DataView(records[0]?.buffer ?? new ArrayBuffer(0)).getUint32(12, true)).toBe(process.pid);
  });

  it('is in the kernel under its own names, with BTF', () => {
    using live = openObject(example('xdp/xdp_kern.o')).load();
    expect(live.maps.get('by_protocol')?.info()).toMatchObject({ name: 'by_protocol', valueSize: 16 });
    expect(live.maps.get('.rodata')?.info().name).toBe('xdp_kern.rodata');
    expect(live.progs.get('count_packets')?.info()).toMatchObject({ name: 'count_packets' });
  });

  it('is gone after destroy(), which may be called twice', () => {
    const live = openObject(example('xdp/xdp_kern.o')).load();
    live.destroy();
    live.destroy();
    expect(() => live.maps.get('by_protocol')?.info()).toThrow(/is destroyed/);
  });

  it('leaves nothing behind when a program is refused', () => {
    const object = openObject(new URL('../testdata/refused.o', import.meta.url).pathname);
    const refused = () => object.load();
    expect(refused).toThrow(VerifierError);
    expect(refused).toThrow(/load program "reads_past_end": verifier: .* at refused\.bpf\.c:\d+/);
  });
});
