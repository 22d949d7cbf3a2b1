import { printable } from '../errors.js';
import { nearest } from '../link/nearest.js';
import * as all from './index.js';
import { kindIn, type ProgramKind, type SectionRule } from './program.js';

/** What a SEC() string means. */
export interface SectionMeaning {
  readonly kind: ProgramKind;
  readonly rule: SectionRule;
  /** What follows the rule's prefix and its `/`; empty when nothing does. */
  readonly target: string;
}

const rules: { prefix: string; open: boolean; rule: SectionRule; kind: ProgramKind }[] = Object.values(all)
  .flatMap((exported) => kindIn(exported) ?? [])
  .flatMap((kind) =>
    kind.sections.map((rule) => ({
      prefix: rule.match.replace(/\+$/, ''),
      open: rule.match.endsWith('+'),
      rule,
      kind,
    })),
  );

/**
 * The kind of program that SEC(`section`) declares, undefined when no rule matches. Matching is libbpf's
 * (sec_def_matches): exact, unless the rule ends in `+`, which also takes a `/` and a target.
 */
export function kindOf(section: string): SectionMeaning | undefined {
  for (const { prefix, open, rule, kind } of rules) {
    if (section === prefix) return { kind, rule, target: '' };
    if (open && section.startsWith(`${prefix}/`))
      return { kind, rule, target: section.slice(prefix.length + 1) };
  }
  return undefined;
}

/** Every section form, sorted, for messages that list them. */
export function knownSections(): readonly string[] {
  return rules.map(({ rule }) => rule.match).sort();
}

/**
 * Why SEC(`section`) means nothing, as a clause with the nearest forms that do: `SEC("socket1") names no kind of
 * program; did you mean SEC("socket")?`.
 */
export function unknownSection(section: string): string {
  const shown = printable(section);
  const head = `SEC("${shown}") names no kind of program`;
  const begun = rules
    .map(({ prefix }) => prefix)
    .filter((prefix) => prefix !== '' && section.startsWith(prefix))
    .sort((a, b) => b.length - a.length)[0];
  if (begun !== undefined) {
    return `${head}; did you mean SEC("${begun}")? libbpf before 1.0 took any name that began with it`;
  }
  const [first = ''] = section.split('/');
  const near = nearest(
    first,
    rules.map(({ prefix }) => prefix),
  ).map((prefix) => `SEC("${prefix}")`);
  return near.length > 0 ? `${head}; did you mean ${near.join(' or ')}?` : head;
}
