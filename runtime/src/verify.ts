import { type BpfError, isBpfError } from './errors.js';
import { ERRNO } from './kernel/errno.js';
import { readHostFile } from './kernel/host-file.js';
import type { Kernel } from './kernel/kernel.js';
import { linuxKernel } from './kernel/linux.js';
import { userBtf } from './loader/kernel-btf.js';
import type { LiveObject } from './loader/live-object.js';
import { load } from './loader/load.js';
import { roundEntries } from './loader/map-attributes.js';
import { OpenObject } from './loader/open-object.js';
import type { OpenProgram } from './loader/open-program.js';
import { libbpfMapName } from './object/maps.js';
import { parseObject } from './object/parse.js';
import type { ObjectSpec } from './object/spec.js';
import { objectName } from './open.js';

/** How {@link verifyObject} loads. */
export interface VerifyOptions {
  readonly kernel?: Kernel;
  /** BTF that CO-RE relocates against instead of the running kernel's; as in load(). */
  readonly kernelBtf?: string | Uint8Array;
  /** Called before each program is loaded, with its place among them, from 0. */
  readonly onProgram?: (name: string, index: number, count: number) => void;
}

/** A map as it stands after open, under libbpf's name. */
export interface VerifiedMap {
  readonly name: string;
  readonly type: number;
  readonly key: number;
  readonly value: number;
  readonly max: number;
  readonly flags: number;
}

/** What the kernel said of one program, loaded alone. */
export interface Verdict {
  readonly name: string;
  readonly section: string;
  /** `enum bpf_prog_type` and `enum bpf_attach_type`. */
  readonly type: number;
  readonly attach: number;
  /** 0, or a negative errno. */
  readonly err: number;
  readonly message?: string;
  /** Everything the verifier said of a program it refused. */
  readonly log?: string;
  /** The kernel's hash of the instructions as loaded. */
  readonly tag?: string;
  /** Instructions as loaded, and what the verifier did with them. */
  readonly insns?: number;
  readonly statistics?: VerifierStatistics;
}

/** What BPF_LOG_STATS prints. Absent numbers are ones this kernel does not print. */
export interface VerifierStatistics {
  /** Instructions that were looked at, over all paths; at most a million. */
  readonly processed?: number;
  readonly totalStates?: number;
  readonly peakStates?: number;
  /** Microseconds. */
  readonly time?: number;
  /** Bytes of stack of the program and of each subprogram, `16+8`. */
  readonly stack?: string;
}

/** One object's programs, each loaded alone. */
export interface Verification {
  readonly object: string;
  /** 0, or the negative errno of opening it. */
  readonly open: number;
  /** Why it cannot be opened, or else why it cannot be loaded as a whole. */
  readonly message?: string;
  readonly maps: readonly VerifiedMap[];
  readonly programs: readonly Verdict[];
  /** 0, or the negative errno of loading it as a whole. */
  readonly load: number;
}

/**
 * Loads every program of an object alone into the kernel and takes it out again: which of them this kernel accepts, and
 * why not the others. Refusals are part of the answer.
 * @throws NotSupportedError where there is no BPF, BpfError when `kernelBtf` cannot be used
 */
export function verifyObject(path: string, options: VerifyOptions = {}): Verification {
  const { kernel = linuxKernel(), kernelBtf } = options;
  let spec: ObjectSpec;
  try {
    spec = unpinned(parseObject(readHostFile(path)));
  } catch (error) {
    const { err, message } = refusalOf(error);
    return { object: path, open: err, message, maps: [], programs: [], load: err };
  }
  // What the user gave wrong is no fault of each program.
  if (kernelBtf !== undefined) userBtf(kernelBtf, kernel);
  const name = objectName(path);
  const attempt: Attempt = (wanted) => {
    const open = new OpenObject(name, spec);
    if (wanted !== undefined)
      for (const program of open.progs.values()) program.autoload = program.name === wanted;
    return load(open, kernel, {
      verifierLogLevel: wanted === undefined ? 0 : BPF_LOG_STATS,
      ...(kernelBtf === undefined ? {} : { kernelBtf }),
    });
  };
  const opened = [...new OpenObject(name, spec).progs.values()];
  const programs = opened.map((program, index) => {
    options.onProgram?.(program.name, index, opened.length);
    return verdictOn(program, attempt);
  });
  return { object: path, open: 0, ...whole(attempt), maps: mapsOf(name, spec, kernel), programs };
}

/** Nothing may stay pinned, and maps that are pinned already are in use: their slots are not to be filled. */
function unpinned(spec: ObjectSpec): ObjectSpec {
  return { ...spec, maps: spec.maps.map((map) => ({ ...map, pinByName: false })) };
}

/** Loads the program of this name alone, or everything that loads by itself. */
type Attempt = (program?: string) => LiveObject;

function verdictOn({ name, section, meaning }: OpenProgram, attempt: Attempt): Verdict {
  const facts = { name, section, type: meaning?.rule.type ?? 0, attach: meaning?.rule.attachType ?? 0 };
  try {
    using live = attempt(name);
    const info = live.progs.get(name)?.info();
    if (info === undefined) return { ...facts, err: 0 };
    const statistics = statisticsIn(live.verifierLogs.get(name) ?? '');
    const measured = { tag: info.tag, insns: info.xlatedSize / 8 };
    return { ...facts, err: 0, ...measured, ...(statistics && { statistics }) };
  } catch (error) {
    return { ...facts, ...refusalOf(error) };
  }
}

function whole(attempt: Attempt): { load: number; message?: string } {
  try {
    attempt().destroy();
    return { load: 0 };
  } catch (error) {
    const { err, message } = refusalOf(error);
    return { load: err, message };
  }
}

const BPF_LOG_STATS = 4;

/** What libbpf's bpf_object__for_each_map shows after open; only ring buffers are rounded by then. */
function mapsOf(name: string, spec: ObjectSpec, kernel: Kernel): VerifiedMap[] {
  return spec.maps.map((map) => ({
    name: libbpfMapName(name, map),
    type: map.type,
    key: map.keySize,
    value: map.valueSize,
    max: roundEntries(map.type, map.maxEntries, {
      pageSize: kernel.pageSize,
      possibleCpus: () => map.maxEntries,
    }),
    flags: map.flags,
  }));
}

/** The kernel's errno where it gave one, else EINVAL, as libbpf answers for what it does not understand. */
function refusalOf(error: unknown): { err: number; message: string; log?: string } {
  if (!isBpfError(error)) throw error;
  const log = 'log' in error && typeof error.log === 'string' ? { log: error.log } : {};
  return { err: -(errnoOf(error) ?? 22), message: error.message, ...log };
}

function errnoOf({ errno, code, cause }: BpfError): number | undefined {
  if (errno !== undefined) return errno;
  if (code in ERRNO) return ERRNO[code as keyof typeof ERRNO]; // checked
  return isBpfError(cause) ? errnoOf(cause) : undefined;
}

/** What a log of level {@link BPF_LOG_STATS} says; undefined when it says nothing of the kind. */
function statisticsIn(log: string): VerifierStatistics | undefined {
  const number = (pattern: RegExp, field: string) => {
    const found = pattern.exec(log)?.[1];
    return found === undefined ? {} : { [field]: Number(found) };
  };
  const stack = /^stack depth (\S+)/m.exec(log)?.[1];
  const statistics: VerifierStatistics = {
    ...number(/^processed (\d+) insns/m, 'processed'),
    ...number(/\btotal_states (\d+)/, 'totalStates'),
    ...number(/\bpeak_states (\d+)/, 'peakStates'),
    ...number(/^verification time (\d+) usec/m, 'time'),
    ...(stack === undefined ? {} : { stack }),
  };
  return Object.keys(statistics).length > 0 ? statistics : undefined;
}
