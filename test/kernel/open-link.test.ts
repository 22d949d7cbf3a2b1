import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { openLink, openLinkById } from '../../runtime/src/open-link.js';
import { openMapById, openPinnedMap } from '../../runtime/src/open-map.js';
import { RawTracepointProgram, XdpProgram } from '../../runtime/src/program/index.js';
import { BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { loadCounter } from './counter.js';
import './facts.js';
import { expectRefusal, openFds } from './link-contract.js';

const kernel = linuxKernel();
const dist = new URL('../../runtime/dist/', import.meta.url).href;
const root = `/sys/fs/bpf/bpfskel-links-${process.pid}`;
const pin = `${root}/link`;
const counter = loadCounter('raw_tp/sched_process_exit');
beforeAll(() => {
  mkdirSync(root);
  new RawTracepointProgram(counter.handle).attach().pin(pin);
});
afterAll(() => {
  counter.close();
  rmSync(root, { recursive: true, force: true });
});

describe('a pin of a link', () => {
  it('is made with the last directory of its path, for nobody else to look into', () => {
    const before = openFds();
    const one = loadCounter('raw_tp/sched_process_exit');
    try {
      const link = new RawTracepointProgram(one.handle).attach();
      const path = `${root}/made/here`;
      link.pin(path);
      expect(statSync(`${root}/made`).mode & 0o777).toBe(0o700);
      link.unpin();
      expect(existsSync(path)).toBe(false);
      expect(link.attached).toBe(true);
      expect(() => link.pin(`${root}/no/such/directory`)).toThrow(
        `pin link of "counter" at ${root}/no/such/directory: there is no directory ${root}/no/such (ENOENT). Create it, inside a BPF file system`,
      );
      expect(() => link.pin('/tmp/bpfskel-link')).toThrow(
        'pin link of "counter" at /tmp/bpfskel-link: /tmp is not in a BPF file system (EPERM). Pin below /sys/fs/bpf',
      );
      expect(() => link.pin(pin)).toThrow(`something is there already (EEXIST)`);
    } finally {
      one.close();
    }
    expect(openFds()).toBe(before);
  });

  it('is opened through a symbolic link, as any file', () => {
    const path = `${root}/symlink`;
    symlinkSync(pin, path);
    using link = openLink(path, 'raw_tracepoint');
    expect(link.info().tracepoint).toBe('sched_process_exit');
    expect([link.program, link.target]).toEqual(['counter', 'raw tracepoint sched_process_exit']);
  });
});

describe('openLink', () => {
  it.each([
    ['absent', `${root}/none`, 'nothing is there (ENOENT)'],
    ['in no directory', `${pin}/below`, 'part of the path is no directory (ENOTDIR)'],
    ['a file of another file system', '/etc/passwd', 'it is not in a BPF file system (EACCES)'],
    ['a directory of a BPF file system', root, 'it is a directory (EACCES)'],
    ['a device', '/dev/null', 'it is not in a BPF file system (EACCES)'],
    ['a name that is too long', `${root}/${'x'.repeat(300)}`, 'ENAMETOOLONG'],
    ['a path that is too long', `/${'x/'.repeat(5000)}`, 'ENAMETOOLONG'],
    ['a terminal’s business', `${root}/\u001b[2J`, 'nothing is there (ENOENT)'],
  ])('says what %s is', (_, path, why) => {
    expectRefusal(() => openLink(path), why);
    expectRefusal(() => openPinnedMap(path), why);
    expect(() => openLink(path)).not.toThrow('\u001b');
  });

  it('tells maps and programs from links', () => {
    const map = kernel.mapCreate({ type: BPF_MAP_TYPE.ARRAY, keySize: 4, valueSize: 4, maxEntries: 1 });
    kernel.pin(map, `${root}/map`);
    kernel.pin(counter.handle.fd(), `${root}/program`);
    expectRefusal(() => openLink(`${root}/map`), 'it is a map, not a link');
    expectRefusal(() => openLink(`${root}/program`), 'it is a program, not a link');
    expectRefusal(() => openPinnedMap(pin), 'it is a link, not a map');
    expectRefusal(() => openLink(pin, 'xdp'), 'it is of type raw_tracepoint, and not xdp');
    kernel.close(map);
  });

  it('is refused by id when there is none', () => {
    expectRefusal(() => openLinkById(0x7ffffff0), 'open link id 2147483632: there is none (ENOENT)');
    expectRefusal(() => openMapById(0x7ffffff0), 'open map id 2147483632: there is none (ENOENT)');
    for (const id of [0, -1, 1.5, 2 ** 32, Number.NaN]) {
      expectRefusal(() => openLinkById(id), `open link id ${id}: ids are whole numbers from 1 up`);
      expectRefusal(() => openMapById(id), `open map id ${id}: ids are whole numbers from 1 up`);
    }
  });

  it('is refused to a process that may not, in words', () => {
    chmodSync(root, 0o755);
    chmodSync(pin, 0o600);
    const child = (path: string) => `
      import { openLink } from '${dist}open-link.js';
      try { openLink('${path}'); console.log('opened'); } catch (error) { console.log(error.message); }
    `;
    const run = (path: string, ...args: string[]) =>
      spawnSync('setpriv', [...args, process.execPath, '--input-type=module', '-e', child(path)], {
        encoding: 'utf8',
      }).stdout.trim();
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
    const closed = 'this process may not read and write it, or not enter a directory on the way (EACCES)';
    // Kernels that keep BPF from everybody else do not look at the path.
    expect(run(pin, ...nobody)).toMatch(
      /: (?:this process lacks CAP_BPF|this process may not read and write it)/,
    );
    const withBpf = ['--inh-caps=+bpf', '--ambient-caps=+bpf', ...nobody];
    expect(run(pin, ...withBpf)).toBe(`open link ${pin}: ${closed}`);
  });
});

describe('an XDP link that another process pinned', () => {
  it('gets another program, is ended by force, and then has nothing left to exchange', () => {
    const [one, two] = [loadCounter('xdp', 2), loadCounter('xdp', 2)];
    const path = `${root}/xdp`;
    const programs = [one, two].map(({ handle }) => new XdpProgram({ ...handle, name: 'count' }));
    const [first, second] = programs;
    if (first === undefined || second === undefined) throw new Error('there are two');
    try {
      const made = first.attach('lo', { mode: 'generic' }).pin(path);
      made.detach();
      using link = openLink(path, 'xdp');
      link.update(second, { expected: first });
      expect(link.info().progId).toBe(second.info().id);
      expect(() => link.update(first, { expected: first })).toThrow(
        /^update link of "count" to "count": the program there is "counter" id \d+, and not the one expected \(EPERM\)$/,
      );
      expect(() => link.update({ fd: counter.handle.fd(), name: 'other' })).toThrow(
        'update link of "count" to "other": the kernel takes a program of the same type and attach type as the one that runs there (EINVAL)',
      );
      expect(kernel.xdpQuery(kernel.ifindex('lo')).generic).toBe(second.info().id);
      link.detach();
      expect(kernel.xdpQuery(kernel.ifindex('lo')).generic).toBe(0);
      expect(link.info().ifindex).toBe(0);
      expect(() => link.update(first)).toThrow(
        'update link of "count" to "count": what it was attached to is gone, or the link was detached by force (ENOLINK)',
      );
      link.unpin();
    } finally {
      one.close();
      two.close();
    }
  });
});
