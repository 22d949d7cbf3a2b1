// Puts on a fresh machine what building and testing needs: npm packages, and Debian packages when this is root on Debian.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, say, tail } from './command.mjs';
import { find, isRoot } from './host.mjs';

/** Programs and files that parts of the tests want: what proves it is there, the Debian package, what it is for. */
const wanted = [
  { program: 'clang-19', package: 'clang-19', use: 'compile the BPF objects again and compare' },
  { program: 'llvm-strip-19', package: 'llvm-19', use: 'compile the BPF objects again and compare' },
  {
    file: '/usr/include/bpf/bpf_helpers.h',
    package: 'libbpf-dev',
    use: 'compile the BPF objects again and compare',
  },
  {
    file: '/usr/include/x86_64-linux-gnu/asm/types.h',
    package: 'linux-libc-dev',
    use: 'compile the BPF objects again and compare',
  },
  { program: 'bpftool', package: 'bpftool', use: 'compare with libbpf' },
  { program: 'ip', package: 'iproute2', use: 'network devices for XDP tests' },
  { program: 'qemu-system-x86_64', package: 'qemu-system-x86', use: 'emulated kernels' },
  { program: 'busybox', package: 'busybox-static', use: 'emulated kernels' },
  { program: 'cpio', package: 'cpio', use: 'emulated kernels' },
  { program: 'xz', package: 'xz-utils', use: 'emulated kernels' },
  { program: 'depmod', package: 'kmod', use: 'emulated kernels' },
];

export function missing() {
  return wanted.filter(({ program, file }) => (program ? find(program) === undefined : !existsSync(file)));
}

/** Exits with a sentence when this Node is too old to go on. */
export function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`bpfskel needs Node 20.19 or newer; this is ${process.versions.node}`);
    process.exit(1);
  }
}

/** Whether node_modules holds what the lock file says. */
function isInstalled() {
  const installed = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installed)) return false;
  const has = JSON.parse(readFileSync(installed, 'utf8')).packages;
  const locked = Object.entries(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages);
  const needed = locked.filter(
    ([path, one]) => path.startsWith('node_modules/') && !one.link && !one.optional,
  );
  return needed.every(([path, { version }]) => has[path]?.version === version);
}

/** `npm ci` when node_modules is not what the lock file says. Returns the sentence of what went wrong. */
export async function installNpm() {
  if (isInstalled()) return undefined;
  say('installing npm packages (npm ci)');
  const { status, output } = await run('npm ci', ['npm', 'ci', '--include=dev', '--no-audit', '--no-fund']);
  return status === 0 ? undefined : `npm ci ended with status ${status}:\n${tail(output)}`;
}

/** Installs the Debian packages that are missing. Returns what stays missing, each as a sentence. */
export async function installPackages() {
  const absent = missing();
  if (absent.length > 0 && isRoot && find('apt-get')) {
    const packages = [...new Set(absent.map((one) => one.package))];
    say(`installing Debian packages: ${packages.join(' ')}`);
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    await run('apt-get update', ['apt-get', 'update', '-qq'], { env });
    const install = ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...packages];
    const { status, output } = await run('apt-get install', install, { env });
    if (status !== 0) say(`apt-get install ended with status ${status}:\n${tail(output, 10)}`);
  }
  return missing().map(
    ({ program, file, package: name, use }) =>
      `${program ?? file} is missing (Debian package ${name}): ${use}`,
  );
}
