import { printable } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Reason } from './attach-error.js';
import { isTraceable } from './ftrace.js';
import { lookUpSymbol, type SymbolFacts, splitModule } from './kallsyms.js';
import { readText } from './text.js';

const BLACKLIST = '/sys/kernel/debug/kprobes/blacklist';

/** Why a function cannot be probed, from symbols, the list of traceable functions and the kprobe blacklist. */
export function whyNotProbed(kernel: Kernel, name: string): Reason | undefined {
  const facts = lookUpSymbol(kernel, name);
  if (facts === undefined) return undefined;
  const shown = printable(name);
  if (facts.count === 0) return whyAbsent(kernel, shown, facts);
  if (facts.count > 1) {
    return {
      why: `this kernel has ${facts.count} functions called ${shown}, and cannot tell which is meant`,
    };
  }
  const blacklist = readText(kernel, BLACKLIST);
  if (blacklist !== undefined && lists(blacklist, splitModule(name)[1])) {
    return { why: `${shown} is on the kernel's kprobe blacklist: probing it could crash the machine` };
  }
  if (isTraceable(kernel, splitModule(name)[1]) === false) return notTraceable(shown);
  return blacklist === undefined
    ? {
        why: `this kernel has the function ${shown}, and refuses to probe it`,
        hint: 'Mount debugfs to see whether it is on the blacklist: mount -t debugfs debugfs /sys/kernel/debug',
      }
    : undefined;
}

/** Of a function that is there, and not in the list of those that ftrace can hook. */
export function notTraceable(shown: string): Reason {
  return {
    why: `${shown} is in the kernel, but not traceable: it is marked notrace, or was compiled without a hook`,
    hint: 'Probe a function that calls it',
  };
}

/**
 * Why the kernel's types do not have a function, where its symbols tell: it was compiled under other names, or is there
 * without a type. A clause; undefined when the symbols tell nothing.
 */
export function whyNoType(kernel: Kernel, name: string): string | undefined {
  const facts = lookUpSymbol(kernel, name);
  if (facts === undefined) return undefined;
  const shown = printable(name);
  if (facts.count > 0) {
    return `this kernel has the function ${shown}, but its BTF has no type for it. Use a kprobe program instead`;
  }
  if (facts.variants.length === 0) return undefined;
  const variants = facts.variants.slice(0, 4).map((each) => printable(each));
  return `the compiler left no function ${shown} in this kernel, only ${variants.join(', ')}, which BTF does not describe. Use a kprobe program on that name; its arguments may differ`;
}

function whyAbsent(kernel: Kernel, shown: string, facts: SymbolFacts): Reason {
  if (facts.variants.length > 0) {
    return {
      why: `the compiler left no function ${shown} in this kernel, only ${facts.variants
        .slice(0, 4)
        .map((each) => printable(each))
        .join(', ')}`,
      hint: 'Probe that name; its arguments may differ',
    };
  }
  const module = splitModule(shown)[0];
  if (module !== undefined && kernel.listDirectory(`/sys/module/${module}`) === undefined) {
    return { why: `module ${module} is not loaded`, hint: `Load it: modprobe ${module}` };
  }
  const near = facts.near().map((each) => printable(each));
  return {
    why: `this kernel has no function ${shown}: it may be inlined, renamed, or in a module that is not loaded`,
    ...(near.length > 0 ? { hint: `Similar names: ${near.join(', ')}` } : {}),
  };
}

/** Lines `START-END<tab>NAME`. */
function lists(blacklist: string, name: string): boolean {
  return blacklist.split('\n').some((line) => line.split(/\s+/)[1] === name);
}
