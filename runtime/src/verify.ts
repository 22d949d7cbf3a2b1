import { type BpfError, isBpfError } from './errors.js';
import { readHostFile } from './kernel/host-file.js';
import type { Kernel } from './kernel/kernel.js';
import { linuxKernel } from './kernel/linux.js';
import { load } from './loader/load.js';
import { roundEntries } from './loader/map-attributes.js';
import { OpenObject } from './loader/open-object.js';
import { libbpfMapName } from './object/maps.js';
import { parseObject } from './object/parse.js';
import type { ObjectSpec } from './object/spec.js';
import { objectName } from './open.js';

/** How {@link verifyObject} loads. */
export interface VerifyOptions {
  readonly kernel?: Kernel;
  /** BTF that CO-RE relocates against instead of the running kernel's; as in load(). */
  readonly kernelBtf?: string | Uint8Array;
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
  readonly message?: string;
  readonly maps: readonly VerifiedMap[];
  readonly programs: readonly Verdict[];
  /** 0, or the negative errno of loading it as a whole. */
  readonly load: number;
}

/**
 * Loads every program of an object alone into the kernel and takes it out again: which of them this kernel accepts, and
 * why not the others. Refusals are part of the answer; what is thrown is trouble with the host.
 */
export function verifyObject(
  path: string,
  { kernel = linuxKernel(), kernelBtf }: VerifyOptions = {},
): Verification {
  let spec: ObjectSpec;
  try {
    spec = parseObject(readHostFile(path));
  } catch (error) {
    const { err, message } = refusalOf(error);
    return { object: path, open: err, message, maps: [], programs: [], load: err };
  }
  const name = objectName(path);
  const options = kernelBtf === undefined ? {} : { kernelBtf };
  const attempt = (wanted?: string) => {
    const open = new OpenObject(name, spec);
    if (wanted !== undefined)
      for (const program of open.progs.values()) program.autoload = program.name === wanted;
    return load(open, kernel, { ...options, verifierLogLevel: wanted === undefined ? 0 : BPF_LOG_STATS });
  };
  const programs = [...new OpenObject(name, spec).progs.values()].map(
    ({ name: program, section, meaning }): Verdict => {
      const type = meaning?.rule.type ?? 0;
      const facts = { name: program, section, type, attach: meaning?.rule.attachType ?? 0 };
      try {
        using live = attempt(program);
        const info = live.progs.get(program)?.info();
        const log = live.verifierLogs.get(program) ?? '';
        if (info === undefined) return { ...facts, err: 0 };
        return { ...facts, err: 0, tag: info.tag, insns: info.xlatedSize / 8, statistics: statisticsIn(log) };
      } catch (error) {
        return { ...facts, ...refusalOf(error) };
      }
    },
  );
  let whole = 0;
  try {
    attempt().destroy();
  } catch (error) {
    whole = refusalOf(error).err;
  }
  return { object: path, open: 0, maps: mapsOf(name, spec, kernel), programs, load: whole };
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

function errnoOf(error: BpfError): number | undefined {
  return error.errno ?? (isBpfError(error.cause) ? errnoOf(error.cause) : undefined);
}

function statisticsIn(log: string): VerifierStatistics {
  const number = (pattern: RegExp, field: string) => {
    const found = pattern.exec(log)?.[1];
    return found === undefined ? {} : { [field]: Number(found) };
  };
  const stack = /^stack depth (\S+)/m.exec(log)?.[1];
  return {
    ...number(/^processed (\d+) insns/m, 'processed'),
    ...number(/total_states (\d+)/, 'totalStates'),
    ...number(/peak_states (\d+)/, 'peakStates'),
    ...number(/^verification time (\d+) usec/m, 'time'),
    ...(stack === undefined ? {} : { stack }),
  };
}
