// Generates the skeletons of the examples anew: `node test/run/skeletons.mjs`, or compares with `--check`.
// The command line of each is in its C source: `// Skeleton: bpfskel gen hello_kern.o > hello.skel.ts`.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from './command.mjs';

const cli = join(root, 'dist/cli.js');

/** Every skeleton that a source under examples/ asks for. */
export function exampleSkeletons() {
  const examples = join(root, 'examples');
  return readdirSync(examples, { recursive: true })
    .filter((path) => path.endsWith('.bpf.c'))
    .sort()
    .map((path) => {
      const source = join(examples, path);
      const line = /^\/\/ Skeleton: bpfskel (gen .+) > (\S+)$/m.exec(readFileSync(source, 'utf8'));
      if (!line)
        throw new Error(`${relative(root, source)} has no line "// Skeleton: bpfskel gen OBJECT > FILE"`);
      return { folder: dirname(source), args: line[1].split(' '), output: join(dirname(source), line[2]) };
    });
}

/** The text of one skeleton, from the built command line tool. */
export function generate({ folder, args }) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`bpfskel ${args.join(' ')} in ${relative(root, folder)}: ${stderr}`);
  return stdout;
}

/** In what a skeleton differs from its object's: what `bpfskel check` says. */
function differences({ folder, args, output }) {
  const objects = args.filter((arg) => arg.endsWith('.o')).map((arg) => arg.replace(/^.*=/, ''));
  const { stdout, stderr } = spawnSync(process.execPath, [cli, 'check', output, ...objects], {
    cwd: folder,
    encoding: 'utf8',
  });
  return (stdout + stderr).trim();
}

/** Compares what is committed with what is generated: name and, when it differs, why. */
export function checkSkeletons() {
  return exampleSkeletons().map((skeleton) => {
    const name = relative(root, skeleton.output);
    try {
      if (!existsSync(skeleton.output)) return { name, why: 'missing: run npm run skeletons' };
      if (generate(skeleton) === readFileSync(skeleton.output, 'utf8')) return { name };
      return {
        name,
        why: `other text is generated now; its API: ${differences(skeleton)}\nrun npm run skeletons and commit the result`,
      };
    } catch (error) {
      return { name, why: error instanceof Error ? error.message : String(error) };
    }
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--check')) {
    const stale = checkSkeletons().filter(({ why }) => why !== undefined);
    for (const { name, why } of stale) console.error(`${name}: ${why}`);
    process.exitCode = stale.length > 0 ? 1 : 0;
  } else {
    for (const skeleton of exampleSkeletons()) {
      writeFileSync(skeleton.output, generate(skeleton));
      console.log(relative(root, skeleton.output));
    }
  }
}
