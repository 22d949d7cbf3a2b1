// The releases of Node that are tested: pinned in test/nodes/versions, kept under ${XDG_CACHE_HOME:-~/.cache}/bpfskel/nodes.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { root, run, say, tail } from './command.mjs';

const pinned = join(root, 'test/nodes/versions');
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'bpfskel/nodes');

/** Each release for this machine: its version, the name of its package, the program. Oldest first. */
export function releases() {
  const { optionalDependencies } = JSON.parse(readFileSync(join(pinned, 'package.json'), 'utf8'));
  return Object.entries(optionalDependencies)
    .filter(([name]) => name.endsWith(`-${process.arch}`))
    .map(([name, wanted]) => {
      const version = wanted.replace(/^.*@/, '');
      return { version, name, program: join(cache, `node-${version}-${process.arch}`) };
    });
}

/** Downloads the releases that are not there yet. Returns the sentence of what went wrong. */
export async function installReleases() {
  const absent = releases().filter(({ program }) => !existsSync(program));
  if (absent.length === 0) return undefined;
  say(`downloading Node ${absent.map(({ version }) => version).join(', ')} (npm ci)`);
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'install-'));
  try {
    for (const file of ['package.json', 'package-lock.json']) {
      copyFileSync(join(pinned, file), join(folder, file));
    }
    // What is optional, because it is for one architecture, npm leaves out without a word: only its log has the reason.
    const command = ['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=http'];
    const { status, output } = await run('npm ci', command, { cwd: folder });
    for (const { name, program } of absent) {
      const installed = join(folder, 'node_modules', name, 'bin/node');
      if (!existsSync(installed)) {
        return `npm ci of test/nodes/versions, status ${status}, left no ${name}:\n${tail(output)}`;
      }
      renameSync(installed, program);
    }
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
