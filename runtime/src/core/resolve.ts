import type { Btf } from '../btf/btf.js';
import type { CoreRelocation } from '../btf/ext.js';
import type { Budget } from './budget.js';
import { CoreKind } from './kinds.js';
import { type Match, matchSpec } from './match.js';
import { essentialName } from './names.js';
import type { Resolution } from './resolution.js';
import { type CoreSpec, coreError, parseSpec, specText, typeText } from './spec.js';
import type { Candidate, CoreTarget } from './target.js';
import { type CoreValue, missingValue, specValue } from './value.js';

/** Resolves one relocation, or finds it among those resolved before (libbpf: bpf_core_calc_relo_insn). */
export function resolve(relocation: CoreRelocation, local: Btf, target: CoreTarget): Resolution {
  const { resolutions } = target.stateOf(local);
  const key = `${relocation.typeId} ${relocation.kind} ${relocation.access}`;
  let resolution = resolutions.get(key);
  if (resolution === undefined) {
    resolution = compute(relocation, local, target);
    resolutions.set(key, resolution);
  }
  return resolution;
}

function compute(relocation: CoreRelocation, local: Btf, target: CoreTarget): Resolution {
  const { budget } = target;
  const spec = parseSpec(local, relocation);
  const own = specValue(spec);
  if (relocation.kind === CoreKind.TYPE_ID_LOCAL) {
    return { spec, local: own, value: own.value, found: true, missing: '' };
  }
  const name = local.name(spec.rootId);
  if (name === '') throw coreError('its type has no name, and types of the kernel are found by name');
  const { candidates } = target.stateOf(local);
  const known = candidates.get(spec.rootId) ?? target.candidates(name, local.kind(spec.rootId));
  const fitting = fit(spec, known, budget);
  candidates.set(spec.rootId, fitting.length > 0 ? fitting.map(({ candidate }) => candidate) : known);
  const [first] = fitting;
  if (first === undefined) {
    const value = missingValue(spec.kind)?.value;
    return { spec, local: own, value, found: false, missing: missingText(spec, known, budget) };
  }
  for (const other of fitting) refuseAmbiguity(spec, first, other);
  return {
    spec,
    local: own,
    value: first.value.value,
    found: true,
    missing: '',
    ...widthChange(own, first.value),
  };
}

interface Fit {
  readonly candidate: Candidate;
  readonly spec: CoreSpec;
  readonly value: CoreValue;
}

function fit(spec: CoreSpec, candidates: readonly Candidate[], budget: Budget): Fit[] {
  return candidates.flatMap((candidate) => {
    const match = compare(spec, candidate, budget);
    return match.spec === undefined ? [] : [{ candidate, spec: match.spec, value: specValue(match.spec) }];
  });
}

function compare(spec: CoreSpec, { btf, id }: Candidate, budget: Budget): Match {
  budget.spend(1);
  return matchSpec(spec, { local: spec.btf, target: btf, budget }, id);
}

/** All candidates must agree, or the choice among them would be a guess. */
function refuseAmbiguity(spec: CoreSpec, first: Fit, other: Fit): void {
  const differ =
    first.spec.bitOffset !== other.spec.bitOffset
      ? (fit: Fit) => `bit offset ${fit.spec.bitOffset}`
      : first.value.value !== other.value.value
        ? (fit: Fit) => `${BigInt.asIntN(64, fit.value.value)}`
        : undefined;
  if (differ === undefined) return;
  const side = (fit: Fit) => `${candidateText(fit.candidate)} gives ${differ(fit)}`;
  throw coreError(
    `the kernel has several types named ${typeText(spec.btf, spec.rootId, essentialName(spec.btf.name(spec.rootId)))} that differ: ${side(first)}, ${side(other)}`,
  );
}

function candidateText({ btf, id }: Candidate): string {
  return `${typeText(btf, id)} [${id}]`;
}

/**
 * A load of a field that has another size in this kernel changes its width, as long as zero extension keeps the
 * value: pointers and unsigned integers.
 */
function widthChange(local: CoreValue, target: CoreValue): Pick<Resolution, 'width'> {
  const [from, to] = [local.access?.size ?? 0, target.access?.size ?? 0];
  if (from === to) return {};
  const [a, b] = [local.access?.type, target.access?.type];
  const pointers = a?.kind === 'ptr' && b?.kind === 'ptr';
  const unsigned = a?.kind === 'int' && b?.kind === 'int' && !isPlainSigned(a) && !isPlainSigned(b);
  return { width: { from, to, safe: pointers || unsigned } };
}

/** libbpf compares the whole encoding: a signed char or bool counts as unsigned. */
function isPlainSigned({ signed, char, bool }: { signed: boolean; char: boolean; bool: boolean }): boolean {
  return signed && !char && !bool;
}

function missingText(spec: CoreSpec, candidates: readonly Candidate[], budget: Budget): string {
  const { btf, rootId, topic, accessors } = spec;
  const root = typeText(btf, rootId, essentialName(btf.name(rootId)));
  if (candidates.length === 0) return `the kernel has no ${root}`;
  if (topic === 'type') return `the kernel's ${root} is another type`;
  const reached = candidates.reduce((most, candidate) => {
    const match = compare(spec, candidate, budget);
    return match.spec === undefined ? Math.max(most, match.reached) : most;
  }, 0);
  const named = specText({ ...spec, accessors: accessors.slice(0, reached + 1) });
  const part = named.slice(typeText(btf, rootId).length).replace(/^(\.|::)/, '');
  return topic === 'field'
    ? `the kernel's ${root} has no member ${part} of a compatible type`
    : `the kernel's ${root} has no ${part}`;
}
