import type { ERRNO } from '../../runtime/src/kernel/errno.js';
import { ERRNO as numbers, syscallError } from '../../runtime/src/kernel/errno.js';
import type { FileFacts, Kernel, LinkCreate } from '../../runtime/src/kernel/kernel.js';
import { type FakeHost, fakeHost } from './fake-host.js';

/** A host with programs and libraries, as uprobes find them. */
export interface BinaryHost extends Omit<FakeHost, 'refuse'> {
  readonly environment: Map<string, string>;
  /** Put before the methods of the kernel. */
  readonly overrides: Partial<Kernel>;
  binary(path: string, bytes: Uint8Array, facts?: Partial<FileFacts>): void;
  remove(path: string): void;
  /** tracefs shows an id for every probe that is defined. */
  events: boolean;
  /** Makes every further call of `method` fail, after `before` ran; it lets a call pass by answering false. */
  refuse(method: keyof Kernel, errno: keyof typeof ERRNO, before?: () => unknown): void;
  /** May throw instead of making a link. */
  refuseLink: (link: LinkCreate) => void;
}

const pmu = '/sys/bus/event_source/devices/uprobe';

export function binaryHost(): BinaryHost {
  const files = new Map<string, { bytes: Uint8Array; facts: Partial<FileFacts> }>();
  const environment = new Map<string, string>();
  const opened = new Map<number, Uint8Array>();
  const refusals = new Map<keyof Kernel, () => void>();
  const overrides: Partial<Kernel> = {};
  const read = new Set<string>();
  let next = 11;
  const set = (path: string, bytes: Uint8Array, facts: Partial<FileFacts> = {}) =>
    files.set(path, { bytes, facts });
  const check = (method: keyof Kernel) => refusals.get(method)?.();
  const host: FakeHost = fakeHost({
    pid: 4242,
    environment: (name) => environment.get(name),
    readFile(path) {
      const id =
        /\/events\/bpfskel\/\S+\/id$/.test(path) && made.events
          ? new TextEncoder().encode('1700\n')
          : undefined;
      return id ?? files.get(path)?.bytes;
    },
    listDirectory(path) {
      const below = [...files.keys()].filter((file) => file.startsWith(`${path}/`));
      const names = below.map((file) => file.slice(path.length + 1).split('/')[0] ?? '');
      return names.length === 0 ? undefined : [...new Set(names)];
    },
    fileFacts(path) {
      const file = files.get(path);
      const directory = [...files.keys()].some((each) => each.startsWith(`${path}/`));
      if (file === undefined && !directory) return undefined;
      const kind = file === undefined ? 'directory' : 'file';
      const size = file?.bytes.length ?? 0;
      return { kind, size, inode: 1n, realPath: path, readable: true, executable: true, ...file?.facts };
    },
    openFile(path) {
      const file = files.get(path);
      if (file === undefined) throw syscallError('open', numbers.ENOENT, path);
      opened.set(++next, file.bytes);
      read.add(`close(${next})`);
      return next;
    },
    readAt(fd, buffer, position) {
      check('readAt');
      const bytes = opened.get(fd)?.subarray(position, position + buffer.length) ?? new Uint8Array(0);
      buffer.set(bytes);
      return bytes.length;
    },
    writeFile: () => undefined,
    perfEventOpen() {
      check('perfEventOpen');
      return ++next;
    },
    linkCreate(link) {
      check('linkCreate');
      made.refuseLink(link);
      return ++next;
    },
    perfEventEnable: () => check('perfEventEnable'),
  });
  const made: BinaryHost = {
    ...host,
    /** Without those that read binaries. */
    get calls() {
      return host.calls.filter((call) => !read.has(call));
    },
    environment,
    overrides,
    kernel: new Proxy(host.kernel, {
      get: (kernel, key) => Reflect.get(key in overrides ? overrides : kernel, key),
    }),
    events: false,
    refuseLink: () => undefined,
    file: (path, text) => set(path, new TextEncoder().encode(text)),
    binary: set,
    remove: (path) => files.delete(path),
    refuse(method, errno, before) {
      refusals.set(method, () => {
        if (before?.() === false) return;
        throw syscallError(method, numbers[errno]);
      });
    },
  };
  made.file(`${pmu}/type`, '9\n');
  made.file(`${pmu}/format/retprobe`, 'config:0\n');
  made.file(`${pmu}/format/ref_ctr_offset`, 'config:32-63\n');
  return made;
}
