import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { clangArguments, findClang, objectFile } from './compiler.js';
import { writeAll, writeOutput } from './files.js';
import { type GenArguments, skeletonFile } from './gen.js';
import { CommandError, explained, report, within } from './report.js';

/** `bpfskel build`. */
export interface BuildArguments extends Omit<GenArguments, 'object' | 'output' | 'arch'> {
  readonly sources: readonly string[];
  readonly include: readonly string[];
  readonly define: readonly string[];
  readonly watch: boolean;
}

/** Compiles each source and writes object and skeleton beside it. With `watch`, again after every change. */
export async function build(given: BuildArguments): Promise<number> {
  const clang = findClang(process.env);
  let status = 0;
  for (const source of given.sources) status = Math.max(status, attempt(clang, source, given));
  if (!given.watch) return status;
  await watchSources(given.sources, (source) => attempt(clang, source, given));
  return status;
}

/** One source; what goes wrong is reported, and the others still get their turn. */
function attempt(clang: string, source: string, given: BuildArguments): number {
  try {
    buildOne(clang, source, given);
    return 0;
  } catch (error) {
    return report(error);
  }
}

function buildOne(clang: string, source: string, given: BuildArguments): void {
  const object = objectFile(source);
  const skeleton = source.replace(/(\.bpf)?\.c$/, '.skel.ts');
  if (!existsSync(source)) throw new CommandError(`build ${source}: no such file`);
  const folder = mkdtempSync(join(tmpdir(), 'bpfskel-'));
  try {
    const compiled = join(folder, basename(object));
    const args = clangArguments(source, compiled, { arch: process.arch, ...given });
    const { status, error } = spawnSync(clang, args, { stdio: ['ignore', 2, 2] });
    if (error) throw explained(`build ${source}`, error);
    if (status !== 0) throw new CommandError(`build ${source}: ${clang} refused it; see above`);
    // Neither file is touched unless both are good.
    const made = within(`build ${source}`, () =>
      skeletonFile({ ...given, object: compiled, output: undefined }),
    );
    within(`build ${source}`, () => {
      writeOutput(object, readFileSync(compiled));
      writeOutput(skeleton, made);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
  writeAll(2, `${object}\n${skeleton}\n`);
}

/** Calls `changed` for a source that changed, or for all when a header beside them did. Ends with Ctrl-C. */
function watchSources(sources: readonly string[], changed: (source: string) => void): Promise<never> {
  const folders = new Map<string, string[]>();
  for (const source of sources) {
    const folder = dirname(resolve(source));
    folders.set(folder, [...(folders.get(folder) ?? []), source]);
  }
  const due = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  for (const [folder, inside] of folders) {
    watch(folder, (_, file) => {
      const touched = file?.endsWith('.h') ? sources : inside.filter((source) => basename(source) === file);
      for (const source of touched) due.add(source);
      if (touched.length === 0) return;
      // Editors write in several steps.
      clearTimeout(timer);
      timer = setTimeout(() => {
        for (const source of due) changed(source);
        due.clear();
      }, 100);
    });
  }
  writeAll(
    2,
    `watching ${[...folders.keys()].map((folder) => basename(folder)).join(', ')}; Ctrl-C ends it\n`,
  );
  return new Promise(() => undefined);
}
