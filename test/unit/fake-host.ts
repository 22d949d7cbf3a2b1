import { ERRNO, syscallError } from '../../runtime/src/kernel/errno.js';
import type { Kernel } from '../../runtime/src/kernel/kernel.js';
import type { Link } from '../../runtime/src/link/link.js';
import type { ProgramHandle } from '../../runtime/src/program/program.js';
import { kernelVersion } from '../../runtime/src/uapi.js';

/** A host of text files whose kernel takes every attachment, remembers the calls, and refuses what it is told to. */
export interface FakeHost {
  readonly kernel: Kernel;
  /** Calls in order, as `name(arguments)`. */
  readonly calls: string[];
  /** Descriptors that are open now. */
  readonly open: Set<number>;
  file(path: string, text: string): void;
  /** Makes every further call of `method` fail. */
  refuse(method: keyof Kernel, errno: keyof typeof ERRNO): void;
}

const silent = new Set([
  'readFile',
  'listDirectory',
  'ifindex',
  'ifname',
  'xdpQuery',
  'progInfo',
  'progQuery',
  'fileFacts',
  'environment',
  'readAt',
  'openFile',
  'fileSystem',
]);
const opening = new Set([
  'perfEventOpen',
  'linkCreate',
  'rawTracepointOpen',
  'packetSocket',
  'progById',
  'openFile',
  'duplicate',
]);

/** The methods that attaching uses; any other method is a mistake of the test. */
export function fakeHost(overrides: Partial<Kernel> = {}): FakeHost {
  const files = new Map<string, string>();
  const refusals = new Map<string, keyof typeof ERRNO>();
  const calls: string[] = [];
  const open = new Set<number>();
  let next = 10;
  const answers: Record<string, unknown> = {
    version: kernelVersion(6, 12, 0),
    release: '6.12.0-test',
    arch: 'x64',
    pageSize: 4096,
    littleEndian: true,
    readFile: (path: string) => {
      const text = files.get(path);
      return text === undefined ? undefined : new TextEncoder().encode(text);
    },
    listDirectory: (path: string) => {
      const below = [...files.keys()].filter((file) => file.startsWith(`${path}/`));
      const names = below.map((file) => file.slice(path.length + 1).split('/')[0] ?? '');
      return names.length === 0 ? undefined : [...new Set(names)];
    },
    ifindex: (name: string) => {
      const index = ['lo', 'eth0'].indexOf(name);
      if (index < 0) throw syscallError(`if_nametoindex(${name})`, ERRNO.ENODEV);
      return index + 1;
    },
    ifname: (index: number) => ['lo', 'eth0'][index - 1],
    xdpQuery: () => ({ mode: 'none', native: 0, generic: 0, offload: 0 }),
    progInfo: () => ({ id: 7, name: 'other' }),
    progQuery: () => ({ flags: 0, revision: 0n, programs: [] }),
    fileSystem: () => undefined,
    close: (fd: number) => {
      if (!open.delete(fd)) throw syscallError('close', ERRNO.EBADF);
    },
    ...Object.fromEntries(
      [
        'writeFile',
        'perfEventSetBpf',
        'perfEventEnable',
        'perfEventDisable',
        'linkUpdate',
        'xdpSet',
        'socketAttach',
        'socketDetach',
        'reuseportAttach',
        'reuseportDetach',
        'progAttach',
        'progDetach',
        'pin',
      ].map((name) => [name, () => undefined]),
    ),
    linkInfo: () => ({ type: 'other', id: 3, progId: 0, linkType: 0 }),
    ...overrides,
  };
  const kernel = new Proxy(answers, {
    get(target, key) {
      const name = String(key);
      const answer = target[name];
      if (answer !== undefined && typeof answer !== 'function') return answer;
      return (...args: unknown[]) => {
        if (!silent.has(name)) calls.push(`${name}(${args.map(show).join(', ')})`);
        const errno = refusals.get(name);
        if (errno !== undefined) throw syscallError(name, ERRNO[errno]);
        if (typeof answer === 'function') {
          const given: unknown = answer(...args);
          if (opening.has(name) && typeof given === 'number') open.add(given);
          return given;
        }
        if (!opening.has(name)) throw new Error(`the test's host has no ${name}`);
        next += 1;
        open.add(next);
        return next;
      };
    },
    // Every property above is a member of Kernel.
  }) as unknown as Kernel;
  return {
    kernel,
    calls,
    open,
    file: (path, text) => files.set(path, text),
    refuse: (method, errno) => refusals.set(method, errno),
  };
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? `${each}n` : each)) ?? 'undefined';
}

/** A loaded program on `host`, and the links it was given to own. */
export function handleFor(
  host: FakeHost,
  { name = 'prog', section = 'kprobe/x', expectedAttachType = 0, fd = 9 } = {},
): ProgramHandle & { readonly owned: Link[] } {
  const owned: Link[] = [];
  const slash = section.indexOf('/');
  return {
    kernel: host.kernel,
    name,
    section,
    target: slash < 0 ? '' : section.slice(slash + 1),
    expectedAttachType,
    fd: () => fd,
    own(link) {
      owned.push(link);
      return link;
    },
    owned,
  };
}
