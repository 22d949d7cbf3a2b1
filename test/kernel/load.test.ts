import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { type LiveObject, openObject, VerifierError } from '@bpfskel/runtime';
import { beforeAll, describe, expect, it, vi } from 'vitest';

const example = (path: string) => new URL(`../../examples/${path}`, import.meta.url).pathname;
const execsnoop = example('execsnoop/execsnoop_kern.o');
const xdp = example('xdp/xdp_kern.o');
const refused = new URL('../testdata/refused.o', import.meta.url).pathname;

const descriptors = () => readdirSync('/proc/self/fd').length;
const listed = (what: 'prog' | 'map' | 'link'): number[] =>
  JSON.parse(execFileSync('bpftool', ['-j', what, 'show'], { encoding: 'utf8' })).map(
    (entry: { id: number }) => entry.id,
  );

interface Ids {
  readonly prog: number[];
  readonly map: number[];
  readonly link: number[];
}

const idsOf = (live: LiveObject): Ids => ({
  prog: [...live.progs.values()].map((program) => program.info().id),
  map: [...live.maps.values()].map((map) => map.info().id),
  link: [...live.links.values()].map((link) => link.info().id),
});

/** The kernel frees what nobody holds a little later. */
const expectGone = (ids: Ids) =>
  vi.waitFor(() => {
    for (const what of ['prog', 'map', 'link'] as const) {
      const there = new Set(listed(what));
      expect(ids[what].filter((id) => there.has(id))).toEqual([]);
    }
  }, 5000);

beforeAll(() => {
  // The first use opens what the process keeps: koffi's library, the epoll descriptor.
  openObject(execsnoop).load().destroy();
});

describe('a loaded object', () => {
  it('runs on its tracepoints, relocated against this kernel, and delivers records', () => {
    const object = openObject(execsnoop);
    const rodata = object.data.get('.rodata') ?? new Uint8Array();
    new DataView(rodata.buffer, rodata.byteOffset).setUint32(0, process.pid, true);
    using live = object.load();
    live.attach();
    spawnSync('/bin/true', ['one', 'two']);
    const records: Uint8Array[] = [];
    const events = live.maps.get('events') as unknown as {
      consume(listener: (bytes: Uint8Array) => void): number;
    };
    events.consume((bytes) => records.push(bytes.slice()));
    expect(records).toHaveLength(1);
    const record = records[0] ?? new Uint8Array();
    expect(new TextDecoder().decode(record.subarray(32)).split('\0')[0]).toBe('/bin/true one two');
    expect(new DataView(record.buffer, record.byteOffset).getUint32(12, true)).toBe(process.pid);
  });

  it('is in the kernel under its own names, with its global data', () => {
    using live = openObject(xdp).load();
    expect(live.maps.get('by_protocol')?.info()).toMatchObject({ name: 'by_protocol', valueSize: 16 });
    expect(live.maps.get('.rodata')?.info().name).toBe('xdp_kern.rodata');
    expect(live.progs.get('count_packets')?.info()).toMatchObject({ name: 'count_packets' });
  });

  it('leaves neither descriptors nor programs, maps and links behind after destroy()', async () => {
    const before = descriptors();
    const live = openObject(execsnoop).load();
    live.attach();
    const ids = idsOf(live);
    expect([ids.prog.length, ids.map.length, ids.link.length]).toEqual([2, 3, 2]);
    expect(listed('prog')).toEqual(expect.arrayContaining(ids.prog));
    live.destroy();
    expect(descriptors()).toBe(before);
    await expectGone(ids);
  });

  it('refuses to be used after destroy(), which may be called twice', () => {
    const live = openObject(xdp).load();
    live.destroy();
    live.destroy();
    expect(() => live.maps.get('by_protocol')?.info()).toThrow(/is destroyed/);
    expect(() => live.attach()).toThrow(/is destroyed/);
  });

  it('keeps what detach() does not concern', () => {
    using live = openObject(execsnoop).load();
    live.attach();
    live.detach();
    expect(live.links.size).toBe(0);
    live.attach();
    expect(live.links.size).toBe(2);
  });
});

describe('an object the verifier refuses', () => {
  it('is explained by its C line and leaves no descriptor', () => {
    const before = descriptors();
    const load = () => openObject(refused).load();
    expect(load).toThrow(VerifierError);
    expect(load).toThrow(
      /^load program "reads_past_end": verifier: .* at \S*refused\.bpf\.c:10\n {2}10 \| return data\[13\]/,
    );
    expect(descriptors()).toBe(before);
  });
});
