import { basename } from 'node:path';
import { UsageError } from './usage.js';

/** An object file and the architecture that it was compiled for. */
export interface ArchitectureObject {
  /** Node's name of the architecture (`process.arch`). */
  readonly arch: string;
  readonly path: string;
}

/** What architectures are called: by Node, then by __TARGET_ARCH_ of bpf_tracing.h, by uname and by Go. */
const names: Readonly<Record<string, readonly string[]>> = {
  x64: ['x86', 'x86_64', 'amd64'],
  arm64: ['aarch64'],
  arm: ['armv7l'],
  riscv64: ['riscv'],
  s390x: ['s390'],
  ppc64: ['powerpc', 'ppc64le', 'ppc64el'],
  loong64: ['loongarch', 'loongarch64'],
  mips64el: ['mips', 'mips64', 'mips64le'],
};

/** Node's name of an architecture that goes by many. */
function nodeName(name: string): string | undefined {
  const lower = name.toLowerCase();
  return Object.entries(names).find(([node, others]) => node === lower || others.includes(lower))?.[0];
}

/** What `--arch x86=a.o --arch arm64=b.o` says. */
export function architectureObjects(given: readonly string[]): ArchitectureObject[] {
  const objects = given.map((text) => {
    const [, name = '', path = ''] = /^([^=]*)=(.*)$/.exec(text) ?? [];
    const arch = nodeName(name);
    if (path === '')
      throw new UsageError(
        `gen: --arch ${JSON.stringify(text)} is not ARCH=OBJECT, as in --arch arm64=probe.arm64.o`,
      );
    if (path === '-') throw new UsageError('gen: --arch takes files, not standard input');
    if (arch === undefined) {
      const known = Object.entries(names)
        .map(([node, [other = node]]) => `${node} (${other})`)
        .join(', ');
      throw new UsageError(`gen: --arch ${JSON.stringify(name)} is no architecture; there are ${known}`);
    }
    return { arch, path };
  });
  const twice = objects.find(({ arch }, index) => objects.findIndex((one) => one.arch === arch) !== index);
  if (twice !== undefined) throw new UsageError(`gen: --arch names two objects for ${twice.arch}`);
  return objects;
}

/** `probe.bpf.o` for `probe.x86.bpf.o` and `probe_arm64.o`: the name that objects have in common. */
export function commonName(objects: readonly ArchitectureObject[]): string | undefined {
  const all = Object.entries(names).flat(2);
  const known = [...all].sort((a, b) => b.length - a.length).join('|');
  const stems = objects.map(({ path }) =>
    basename(path)
      .replace(/(\.bpf)?\.o$/, '')
      .replace(new RegExp(`[._-](${known})$`, 'i'), '')
      .replace(/\.bpf$/, ''),
  );
  return new Set(stems).size === 1 ? stems[0] : undefined;
}
