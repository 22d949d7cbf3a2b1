import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommandError } from './report.js';
import { UsageError } from './usage.js';

/** Newest first; a plain `clang` may be older than what BPF needs. */
const versions = [22, 21, 20, 19, 18, 17, 16, 15, 14];

/** The clang to call: `$CLANG`, `clang`, or the newest `clang-NN`. Throws when there is none. */
export function findClang(environment: Readonly<Record<string, string | undefined>>): string {
  const { CLANG: asked } = environment;
  const candidates = asked ? [asked] : ['clang', ...versions.map((version) => `clang-${version}`)];
  const found = candidates.find(
    (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0,
  );
  if (found !== undefined) return found;
  throw new CommandError(
    asked
      ? `build: $CLANG is ${asked}, which does not run`
      : 'build: no clang found (tried clang and clang-14 to clang-22); on Debian: apt-get install clang libbpf-dev',
  );
}

/** `__TARGET_ARCH_*` of bpf_tracing.h and the multiarch folder of Debian, by Node's name. */
const architectures: Readonly<Record<string, { define: string; folder: string }>> = {
  x64: { define: 'x86', folder: 'x86_64-linux-gnu' },
  arm64: { define: 'arm64', folder: 'aarch64-linux-gnu' },
  arm: { define: 'arm', folder: 'arm-linux-gnueabihf' },
  riscv64: { define: 'riscv', folder: 'riscv64-linux-gnu' },
  s390x: { define: 's390', folder: 's390x-linux-gnu' },
  ppc64: { define: 'powerpc', folder: 'powerpc64le-linux-gnu' },
  loong64: { define: 'loongarch', folder: 'loongarch64-linux-gnu' },
  mips64el: { define: 'mips', folder: 'mips64el-linux-gnuabi64' },
};

/** `hello.bpf.c` compiles to `hello.bpf.o`. */
export function objectFile(source: string): string {
  if (!source.endsWith('.c'))
    throw new UsageError(`build: ${basename(source)} is no C source; its name should end in .bpf.c`);
  return source.replace(/\.c$/, '.o');
}

/** Where bpfskel.h is. */
const ownHeaders = fileURLToPath(new URL('../include', import.meta.url));

export function clangArguments(
  source: string,
  output: string,
  options: { readonly arch: string; readonly include: readonly string[]; readonly define: readonly string[] },
): string[] {
  const arch = architectures[options.arch];
  const folder = arch && `/usr/include/${arch.folder}`;
  return [
    ...['-target', 'bpf', '-O2', '-g', '-Wall'],
    ...(arch ? [`-D__TARGET_ARCH_${arch.define}`] : []),
    ...options.define.map((define) => `-D${define}`),
    `-I${dirname(source)}`,
    ...options.include.map((path) => `-I${path}`),
    `-I${ownHeaders}`,
    ...(folder !== undefined && existsSync(folder) ? [`-I${folder}`] : []),
    // The same bytes wherever the source lies.
    ...[`-fdebug-prefix-map=${process.cwd()}=.`, '-fdebug-compilation-dir=.'],
    ...['-c', source, '-o', output],
  ];
}
