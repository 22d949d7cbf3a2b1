// `npm run conformance -- [-k host|6.1|6.12] [-g GLOB[,GLOB...]] [-t SECONDS] [-f] [-v]`: the BPF selftest objects of the
// Linux kernel, loaded program by program by libbpf and by bpfskel on one kernel. conformance.md says what is compared.
//   -k  this kernel (default), or one in an emulated machine
//   -g  only objects of these names, without .o: 'test_core*,map_kptr'
//   -t  limit for each of the two runs in the emulated machine; 7200 by default
//   -f  compute libbpf's results anew
//   -v  also list programs that both refuse, with different errnos
// Exit status: 0 when they agree but for what conformance.md accounts for, 1 when they do not, 2 for wrong usage.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { release, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compare, knownDifferences, parseRows, share } from './compare.mjs';
import { oracle } from './oracle.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '../..');
const machine = join(root, 'test/vm/run.sh');
const cli = join(root, 'dist/cli.js');

function usage(why) {
  console.error(
    `conformance: ${why}\nusage: npm run conformance -- [-k host|6.1|6.12] [-g GLOB,...] [-t SECONDS] [-f] [-v]`,
  );
  process.exit(2);
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        kernel: { type: 'string', short: 'k', default: 'host' },
        glob: { type: 'string', short: 'g', default: '*' },
        limit: { type: 'string', short: 't', default: '7200' },
        verbose: { type: 'boolean', short: 'v', default: false },
        fresh: { type: 'boolean', short: 'f', default: false },
      },
    });
    if (!['host', '6.1', '6.12'].includes(values.kernel)) usage(`no kernel ${values.kernel}`);
    if (!/^\d+$/.test(values.limit)) usage(`-t ${values.limit} is not a number of seconds`);
    return values;
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

/** Runs a shell command as root in the wanted kernel; what it writes to $SHARE can be read in `share` afterwards. */
function inKernel({ kernel, limit }, share, command) {
  // Maps that are pinned by name go to a file system of their own.
  const script = `mount -t bpf bpf /sys/fs/bpf; ${command}`;
  const whole =
    kernel === 'host'
      ? ['unshare', '--mount', 'bash', '-c', script]
      : [machine, '-k', kernel, '-m', '4096', '-t', limit, '-s', share, '--', 'bash', '-c', script];
  const env = kernel === 'host' ? { ...process.env, SHARE: share } : process.env;
  // What goes wrong inside shows as missing results.
  spawnSync(whole[0], whole.slice(1), { env, cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
}

function results(wanted, objects, program, name) {
  const folder = mkdtempSync(join(tmpdir(), 'bpfskel-conformance-'));
  const start = Date.now();
  try {
    const words = [...program, ...objects].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    inKernel(wanted, folder, `${words} > "$SHARE/rows"`);
    const rows = existsSync(join(folder, 'rows'))
      ? parseRows(readFileSync(join(folder, 'rows'), 'utf8'))
      : [];
    const seconds = Math.round((Date.now() - start) / 1000);
    console.error(`${name}: ${rows.length} of ${objects.length} objects in ${seconds} s`);
    return rows;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function sha(...files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}

/** The kernel that results belong to, to its last patch. */
function kernelRelease(kernel) {
  if (kernel === 'host') return release();
  execFileSync(machine, ['-k', kernel, '-p'], { stdio: ['ignore', 'inherit', 'inherit'] });
  const modules = join(process.env.XDG_CACHE_HOME ?? join(process.env.HOME ?? '', '.cache'), 'bpfskel/vm');
  return readdirSync(join(modules, kernel, 'modules'))[0] ?? kernel;
}

/** What libbpf makes of the objects: kept, as it changes only with the object, the kernel and the reference loader. */
function reference(wanted, objects, folder) {
  const loader = oracle(join(folder, 'reference/libbpf'));
  const cache = join(folder, 'results', `${kernelRelease(wanted.kernel)}.json`);
  const loaderSha = sha(join(here, 'oracle.c'), join(folder, 'reference/libbpf/libbpf.a'));
  const known = existsSync(cache) ? JSON.parse(readFileSync(cache, 'utf8')) : {};
  const key = new Map(objects.map((path) => [path, `${basename(path)} ${sha(path)} ${loaderSha}`]));
  const missing = objects.filter((path) => wanted.fresh || known[key.get(path)] === undefined);
  if (missing.length > 0) {
    for (const row of results(wanted, missing, [loader], 'libbpf')) known[key.get(row.object)] = row;
    mkdirSync(join(folder, 'results'), { recursive: true });
    writeFileSync(cache, JSON.stringify(known));
  }
  return objects.flatMap((path) => known[key.get(path)] ?? []);
}

function chosen(objects, globs) {
  const patterns = globs.split(',').map((glob) => {
    const escaped = glob.trim().replace(/[.+^${}()|[\]\\]/g, '\\$&');
    return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`);
  });
  return readdirSync(objects)
    .filter((name) => name.endsWith('.o') && patterns.some((one) => one.test(name.slice(0, -2))))
    .sort()
    .map((name) => join(objects, name));
}

function main() {
  const wanted = options();
  const folder = execFileSync(join(here, 'prepare.sh'), {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
  const objects = chosen(join(folder, 'objects'), wanted.glob);
  if (objects.length === 0) usage(`no object is called ${wanted.glob}`);
  const expected = reference(wanted, objects, folder);
  if (expected.length < objects.length) {
    console.error(`libbpf gave no result for ${objects.length - expected.length} objects`);
    return 1;
  }
  const own = results(wanted, objects, [process.execPath, cli, 'verify', '--json'], 'bpfskel');
  const { open, maps, programs, errno, differences, otherErrnos } = compare(expected, own);
  const causeOf = knownDifferences(readFileSync(join(here, '../conformance.md'), 'utf8'), wanted.kernel);
  const unknown = differences.filter((difference) => causeOf(difference) === undefined);
  for (const difference of differences) {
    const cause = causeOf(difference);
    const { object, what, text } = difference;
    console.log(`${object}: ${what}: ${text}${cause === undefined ? '' : `\n  known: ${cause}`}`);
  }
  for (const { object, what, text } of wanted.verbose ? otherErrnos : []) {
    console.log(`${object}: ${what}: refused with ${text}`);
  }
  const killed = expected.filter(({ signal }) => signal !== undefined).length;
  if (killed > 0)
    console.log(`left out                        ${killed} objects that libbpf did not survive`);
  console.log(`objects opened alike            ${share(open)}`);
  console.log(`maps alike                      ${share(maps)}`);
  console.log(`programs: same verdict and tag  ${share(programs)}`);
  console.log(`refused with the same errno     ${share(errno)}`);
  const known = differences.length - unknown.length;
  console.log(
    `conformance ${wanted.kernel}: ${unknown.length} differences${known > 0 ? ` beside ${known} known ones` : ''}`,
  );
  return unknown.length > 0 ? 1 : 0;
}

process.exitCode = main();
