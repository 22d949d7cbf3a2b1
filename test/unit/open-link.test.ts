import { describe, expect, it } from 'vitest';
import { encodeInsns } from '../../runtime/src/insn.js';
import type { Link } from '../../runtime/src/link/link.js';
import { OpenedLink, UpdatableOpenedLink } from '../../runtime/src/link/opened-link.js';
import { openLink, openLinkById } from '../../runtime/src/open-link.js';
import { openPinnedMap } from '../../runtime/src/open-map.js';
import { RawTracepointProgram, XdpProgram } from '../../runtime/src/program/index.js';
import type { Program, ProgramHandle } from '../../runtime/src/program/program.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_PROG_TYPE } from '../../runtime/src/uapi.js';

const insns = encodeInsns([{ code: 0xb7 }, { code: 0x95 }], true);
const path = '/sys/fs/bpf/agent/count';

/** A kernel with programs loaded into it, and what attaches them. */
function host() {
  const kernel = fakeKernel();
  kernel.addDevice('eth0');
  const load = <P extends Program>(
    kind: new (handle: ProgramHandle) => P,
    name: string,
    section: string,
    type: number,
  ): P => {
    const fd = kernel.progLoad({ type, insns, license: 'GPL', name });
    const target = section.split('/')[1] ?? '';
    const own = (link: Link) => link;
    return new kind({ kernel, name, section, target, expectedAttachType: 0, fd: () => fd, own });
  };
  return {
    kernel,
    xdp: (name: string) => load(XdpProgram, name, 'xdp', BPF_PROG_TYPE.XDP),
    raw: (name: string) =>
      load(RawTracepointProgram, name, 'raw_tp/sched_switch', BPF_PROG_TYPE.RAW_TRACEPOINT),
  };
}

describe('a pinned link', () => {
  it('goes on when it is detached here, until it is unpinned', () => {
    const { kernel, xdp } = host();
    const link = xdp('count').attach('eth0');
    expect(link.pinPath).toBeUndefined();
    expect(link.pin(path)).toBe(link);
    expect(link.pinPath).toBe(path);
    link.detach();
    expect(kernel.links).toHaveLength(1);
    link.unpin();
    expect(kernel.links).toEqual([]);
    expect(link.pinPath).toBeUndefined();
    expect(() => link.unpin()).toThrow('unpin link of "count": it is not pinned');
    expect(() => openLink(path, { kernel })).toThrow(`open link ${path}: nothing is there (ENOENT)`);
  });

  it('is pinned once, and where nothing is', () => {
    const { xdp, raw } = host();
    const link = xdp('count').attach('eth0').pin(path);
    expect(() => link.pin('/sys/fs/bpf/other')).toThrow(
      `pin link of "count" at /sys/fs/bpf/other: it is pinned at ${path} already`,
    );
    const other = raw('trace').attach();
    expect(() => other.pin(path)).toThrow(
      `pin link of "trace" at ${path}: something is there already (EEXIST)`,
    );
    expect(() => other.pin('/tmp/x')).toThrow('pin link of "trace" at /tmp/x: ');
    expect(() => other.pin('')).toThrow('the path is empty');
    expect(() => other.pin('/sys/fs/bpf/a\0b')).toThrow(
      'pin link of "trace" at /sys/fs/bpf/a\\u{0}b: a path has no NUL',
    );
    expect(other.pinPath).toBeUndefined();
  });

  it('says when its pin is gone already', () => {
    const { kernel, xdp } = host();
    const link = xdp('count').attach('eth0').pin(path);
    kernel.unpin(path);
    expect(() => link.unpin()).toThrow(`unpin link of "count": nothing is at ${path} by now (ENOENT)`);
  });
});

describe('openLink', () => {
  it('opens what is pinned, with what the kernel tells, and closes only the descriptor', () => {
    const { kernel, xdp } = host();
    const made = xdp('count').attach('eth0').pin(path);
    const before = kernel.openFds.length;
    const link = openLink(path, { kernel });
    expect(link).toBeInstanceOf(OpenedLink);
    expect(link.info()).toEqual(made.info());
    expect(link.info()).toMatchObject({ type: 'xdp', ifindex: 2, progName: 'count' });
    expect([link.program, link.target, link.pinPath, link.attached]).toEqual([
      'count',
      'xdp eth0',
      path,
      true,
    ]);
    link.close();
    link[Symbol.dispose]();
    expect(link.attached).toBe(false);
    expect(() => link.info()).toThrow('read the info of link of "count": it is closed');
    expect(kernel.openFds).toHaveLength(before);
    made.detach();
    expect(kernel.links).toHaveLength(1);
    link.unpin();
    expect(kernel.openFds.filter(({ of }) => of.startsWith('link'))).toEqual([]);
  });

  it('exchanges the program of a type that can', () => {
    const { kernel, xdp } = host();
    const [one, two] = [xdp('one'), xdp('two')];
    one.attach('eth0').pin(path);
    using link = openLink(path, 'xdp', { kernel });
    expect(link).toBeInstanceOf(UpdatableOpenedLink);
    const ifindex: number = link.info().ifindex;
    expect(ifindex).toBe(2);
    link.update(two, { expected: one });
    expect([link.program, link.info().progName]).toEqual(['two', 'two']);
    expect(() => link.update(two, { expected: one })).toThrow(
      'update link of "two" to "two": the program there is "two"',
    );
  });

  it('ends the attachment for everybody', () => {
    const { kernel, xdp } = host();
    xdp('count').attach('eth0').pin(path);
    using link = openLink(path, { kernel });
    link.detach();
    link.detach();
    expect(link.attached).toBe(false);
    expect(kernel.links).toEqual([]);
    expect(link.info().type).toBe('xdp');
  });

  it('says of a type that cannot be ended so, how it ends', () => {
    const { kernel, raw } = host();
    raw('trace').attach().pin(path);
    using link = openLink(path, 'raw_tracepoint', { kernel });
    expect(() => link.detach()).toThrow(
      'detach link of "trace" from raw tracepoint sched_switch: the kernel detaches no link of type raw_tracepoint while it is held (EOPNOTSUPP). It ends when no process and no pin holds it: unpin() and close()',
    );
    expect(link.attached).toBe(true);
    expect('update' in link).toBe(false);
  });

  it('refuses a link of another type, and what is none', () => {
    const { kernel, raw } = host();
    raw('trace').attach().pin(path);
    const before = kernel.openFds.length;
    expect(() => openLink(path, 'xdp', { kernel })).toThrow(
      `open link ${path}: it is of type raw_tracepoint, and not xdp`,
    );
    const map = kernel.mapCreate({ type: 2, keySize: 4, valueSize: 4, maxEntries: 1 });
    kernel.pin(map, '/sys/fs/bpf/map');
    expect(() => openLink('/sys/fs/bpf/map', { kernel })).toThrow(
      'open link /sys/fs/bpf/map: it is a map, not a link',
    );
    expect(() => openPinnedMap(path, { kernel })).toThrow(`open map ${path}: it is a link, not a map`);
    kernel.setFile('/etc/passwd', 'root');
    expect(() => openLink('/etc/passwd', { kernel })).toThrow(
      'open link /etc/passwd: it is not in a BPF file system (EACCES)',
    );
    expect(() => openLink('/sys/fs/bpf/x\0y', { kernel })).toThrow('a path has no NUL');
    expect(() => openLink('', { kernel })).toThrow('open link : the path is empty');
    kernel.failing('pinned', 'EACCES');
    expect(() => openLink(path, { kernel })).toThrow(
      `open link ${path}: this process may not read and write it, or not enter a directory on the way (EACCES)`,
    );
    expect(kernel.openFds).toHaveLength(before + 1);
  });

  it('opens by id', () => {
    const { kernel, raw } = host();
    const { id } = raw('trace').attach().info();
    using link = openLinkById(id, 'raw_tracepoint', { kernel });
    expect(link.info().tracepoint).toBe('sched_switch');
    expect(link.pinPath).toBeUndefined();
    expect(() => openLinkById(id, 'tcx', { kernel })).toThrow(
      `open link id ${id}: it is of type raw_tracepoint, and not tcx`,
    );
    expect(() => openLinkById(9999, { kernel })).toThrow('open link id 9999: there is none (ENOENT)');
  });
});
