import type { Btf } from '../btf/btf.js';
import { printable } from '../errors.js';
import { nearest } from '../link/nearest.js';
import type { AttachBtf } from './program.js';

/** The types of the running kernel: vmlinux's, and those of its modules, asked for only when vmlinux has no answer. */
export interface KernelTypes {
  readonly vmlinux: Btf;
  modules(): Iterable<{ readonly name: string; readonly btf: Btf }>;
}

/** The type a program is verified against. */
export interface FoundTarget {
  readonly btfId: number;
  /** The module whose BTF `btfId` counts in; absent for vmlinux. */
  readonly module?: string;
}

/** Why there is no such type: a clause for a message. */
export interface MissingTarget {
  readonly missing: string;
}

/**
 * Finds what `[module:]name` of a section means among the kernel's types, as libbpf's find_kernel_btf_id: the rule's
 * prefix is put before the name, vmlinux comes before modules unless a module is named. Unlike libbpf, `module` must
 * be the module's whole name.
 */
export function findAttachTarget(
  rule: AttachBtf,
  target: string,
  types: KernelTypes,
): FoundTarget | MissingTarget {
  const colon = target.indexOf(':');
  const module = colon < 0 ? undefined : target.slice(0, colon);
  const name = target.slice(colon + 1);
  if (name === '') return { missing: 'SEC() does not name what to attach to' };
  const wanted = rule.prefix + name;
  if (module === undefined || module === 'vmlinux') {
    const btfId = types.vmlinux.find(wanted, rule.kind);
    if (btfId !== undefined) return { btfId };
    if (module !== undefined) return { missing: whyMissing(rule, name, types.vmlinux, 'this kernel') };
  }
  const loaded: string[] = [];
  for (const each of types.modules()) {
    loaded.push(each.name);
    if (module !== undefined && each.name !== module) continue;
    const btfId = each.btf.findOwn(wanted, rule.kind);
    if (btfId !== undefined) return { btfId, module: each.name };
    if (module !== undefined) {
      return { missing: whyMissing(rule, name, each.btf, `module ${printable(module)}`) };
    }
  }
  if (module === undefined) return { missing: whyMissing(rule, name, types.vmlinux, 'this kernel') };
  return { missing: whyNoModule(module, loaded) };
}

const nouns = {
  '': 'function',
  btf_trace_: 'tracepoint',
  bpf_lsm_: 'LSM hook',
  bpf_iter_: 'iterator',
} as const;

/** Says what is absent and what has a similar name in `btf`. */
function whyMissing({ prefix, kind }: AttachBtf, name: string, btf: Btf, owner: string): string {
  const names = btf.findPrefix(prefix, kind).map((id) => btf.name(id).slice(prefix.length));
  const near = nearest(name, names).map((each) => printable(each));
  const what = `${owner} has no ${nouns[prefix]} ${printable(name)} in its BTF`;
  const why = prefix === '' ? ': it may be inlined, renamed, or in a module that is not loaded' : '';
  return `${what}${why}${near.length > 0 ? `; similar names: ${near.join(', ')}` : ''}`;
}

function whyNoModule(module: string, loaded: readonly string[]): string {
  const near = nearest(module, loaded).map((each) => printable(each));
  return `no module ${printable(module)} with BTF is loaded${near.length > 0 ? `; similar names: ${near.join(', ')}` : ''}`;
}
