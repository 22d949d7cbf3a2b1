import { printable } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import type { Reason } from './attach-error.js';
import { isTraceable } from './ftrace.js';
import { lookUpSymbol, type SymbolFacts, splitModule } from './kallsyms.js';
import { readText } from './text.js';

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
  if (isBlacklisted(kernel, name)) {
    return { why: `${shown} is on the kernel's kprobe blacklist: probing it could crash the machine` };
  }
  return isTraceable(kernel, splitModule(name)[1]) === false
    ? {
        why: `${shown} is in the kernel, but not traceable: it is marked notrace, or was compiled without a hook`,
        hint: 'Probe a function that calls it',
      }
    : undefined;
}

function whyAbsent(kernel: Kernel, shown: string, facts: SymbolFacts): Reason {
  if (facts.variants.length > 0) {
    return {
      why: `the compiler left no function ${shown} in this kernel, only ${facts.variants.slice(0, 4).join(', ')}`,
      hint: 'Probe that name; its arguments may differ',
    };
  }
  const module = splitModule(shown)[0];
  if (module !== undefined && kernel.listDirectory(`/sys/module/${module}`) === undefined) {
    return { why: `module ${module} is not loaded`, hint: `Load it: modprobe ${module}` };
  }
  return {
    why: `this kernel has no function ${shown}: it may be inlined, renamed, or in a module that is not loaded`,
    ...(facts.near.length > 0 ? { hint: `Similar names: ${facts.near.join(', ')}` } : {}),
  };
}

function isBlacklisted(kernel: Kernel, name: string): boolean {
  const text = readText(kernel, '/sys/kernel/debug/kprobes/blacklist') ?? '';
  return text.split('\n').some((line) => line.split(/\s+/)[1] === name);
}
