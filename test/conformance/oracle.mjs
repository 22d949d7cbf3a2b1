// Builds the reference loader where it is not, or older than its source: `node test/conformance/oracle.mjs [FOLDER]`
// prints its path. FOLDER holds a libbpf.a with its headers under include/; without it, libbpf is the system's.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('oracle.c', import.meta.url));
const build = fileURLToPath(new URL('../../build/conformance', import.meta.url));
const compilers = ['cc', 'gcc', 'clang-19', 'clang'];

/**
 * The path of the reference loader.
 * @param {string} [libbpf] folder of a libbpf that was built from source
 * @throws Error that says what is missing
 */
export function oracle(libbpf) {
  const output = libbpf === undefined ? join(build, 'oracle') : join(libbpf, 'bpfskel-oracle');
  if (isNewer(output, source)) return output;
  if (libbpf === undefined && !existsSync('/usr/include/bpf/libbpf.h')) {
    throw new Error('comparing with libbpf needs its headers (Debian package libbpf-dev)');
  }
  mkdirSync(dirname(output), { recursive: true });
  // Several may build it at once; each moves a whole file into place.
  const made = `${output}.${process.pid}`;
  const library =
    libbpf === undefined
      ? ['-lbpf']
      : [`-I${join(libbpf, 'include')}`, join(libbpf, 'libbpf.a'), '-lelf', '-lz'];
  for (const compiler of compilers) {
    const flags = ['-O1', '-Wall', '-Wextra', '-o', made, source, ...library];
    const { error, status, stderr } = spawnSync(compiler, flags, { encoding: 'utf8' });
    if (error !== undefined && 'code' in error && error.code === 'ENOENT') continue;
    if (status === 0) {
      renameSync(made, output);
      return output;
    }
    rmSync(made, { force: true });
    throw new Error(`${compiler} ${flags.join(' ')}\n${stderr}`);
  }
  throw new Error(`comparing with libbpf needs a C compiler, one of ${compilers.join(', ')}`);
}

function isNewer(output, than) {
  return existsSync(output) && statSync(output).mtimeMs >= statSync(than).mtimeMs;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder] = process.argv.slice(2);
  console.log(oracle(folder === undefined ? undefined : resolve(folder)));
}
