// Runs a command that can open files in FOLDER alone, besides reading those that programs are made of, and prints what it
// was denied. It holds for what the command starts, too, and for nobody else; it ends with this program.
//   node main.js FOLDER [--read FOLDER]... -- COMMAND [ARGUMENT]...
import { spawn } from 'node:child_process';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { parseArgs } from 'node:util';
import { isBpfError } from '@bpfskel/runtime';
import { type Denial, openguard_kern, type Place, Right, Role } from './openguard.skel.ts';

const programs = ['/usr', '/opt', '/bin', '/sbin', '/lib', '/lib64', '/etc', '/proc', '/sys'];
const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty', 'ptmx', 'pts'].map(
  (name) => `/dev/${name}`,
);
const names = new Map<number, string>(
  Object.entries(Right).map(([name, right]) => [right, name.toLowerCase()]),
);

/** Where file systems are mounted; the kernel writes spaces and the like in these paths as octal numbers. */
const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
  .split('\n')
  .flatMap((line) => line.split(' ')[4] ?? [])
  .map((path) => path.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))));

/** A folder, and what is mounted below it: the kernel's walk upwards ends at the root of a file system. */
function placesOf(path: string): Place[] {
  const real = realpathSync(path);
  const all = [real, ...mounts.filter((mount) => mount.startsWith(real === '/' ? real : `${real}/`))];
  return all.flatMap((each) => {
    const found = statSync(each, { bigint: true, throwIfNoEntry: false });
    return found === undefined ? [] : { device: kernelDevice(found.dev), inode: found.ino };
  });
}

/** `dev_t` as the kernel has it within: 12 bits of major number, 20 of minor. */
function kernelDevice(dev: bigint): bigint {
  const major = (dev >> 8n) & 0xfffn;
  const minor = (dev & 0xffn) | ((dev >> 12n) & 0xfff00n);
  return (major << 20n) | minor;
}

function print({ pid, comm, right, path }: Denial): void {
  // Quoted: files, and processes too, may be called anything.
  console.error(
    `denied ${JSON.stringify(comm)} (${pid}) to ${names.get(right) ?? right} ${JSON.stringify(path)}`,
  );
}

async function main(): Promise<void> {
  const end = process.argv.indexOf('--');
  const args = process.argv.slice(2, end === -1 ? undefined : end);
  const [command, ...rest] = end === -1 ? [] : process.argv.slice(end + 1);
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { read: { type: 'string', multiple: true, default: [] } },
  });
  const [folder] = positionals;
  if (folder === undefined || positionals.length > 1 || command === undefined) {
    console.error('usage: main.js FOLDER [--read FOLDER]... -- COMMAND [ARGUMENT]...');
    process.exitCode = 2;
    return;
  }

  using skel = openguard_kern.openAndLoad();
  const { allowed, roles, denials } = skel.maps;
  const allow = (path: string, rights: number) => {
    for (const place of placesOf(path)) allowed.set(place, (allowed.get(place) ?? 0) | rights);
  };
  const there = (path: string) => statSync(path, { throwIfNoEntry: false }) !== undefined;
  for (const path of [...programs.filter(there), ...values.read]) allow(path, Right.READ);
  for (const path of devices.filter(there)) allow(path, Right.READ | Right.WRITE);
  allow(folder, Right.READ | Right.WRITE);

  roles.set(process.pid, Role.GUARD);
  skel.attach();
  // Guarded from its first instruction: the kernel hands the role on when this process forks.
  const child = spawn(command, rest, { stdio: 'inherit' });
  process.on('SIGTERM', () => child.kill());
  // A terminal sends Ctrl-C to the command as well: it decides.
  process.on('SIGINT', () => undefined);
  child.once('error', (error) => {
    console.error(`start ${command}: ${error.message}`);
    process.exitCode = 1;
  });
  child.once('exit', (status, signal) => {
    process.exitCode = signal === null ? (status ?? 1) : 128 + constants.signals[signal];
  });
  // Detaching ends the loop, after the last record.
  child.once('close', () => skel.detach());
  for await (const denial of denials) print(denial);
  if (skel.bss.lost > 0n) console.error(`${skel.bss.lost} denials did not fit in the ring buffer`);
}

try {
  await main();
} catch (error) {
  console.error(isBpfError(error) ? error.message : error);
  process.exitCode = 1;
}
