import { spawnSync } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { NetfilterProgram } from '../../runtime/src/program/index.js';
import { kernelVersion } from '../../runtime/src/uapi.js';
import { cable } from './cable.js';
import { type Counter, loadCounter } from './counter.js';
import { kernelHas } from './facts.js';
import { expectRefusal, linkContract, runsWithin } from './link-contract.js';

const { receive, send6 } = cable();
const NF_DROP = 0;
const NF_ACCEPT = 1;

for (const { family, hook, trigger } of [
  { family: 'ipv4', hook: 'prerouting', trigger: receive },
  { family: 'ipv6', hook: 'postrouting', trigger: send6 },
] as const) {
  linkContract({
    name: `a netfilter program at ${family} ${hook}`,
    when: kernelHas.netfilter,
    load: () => loadCounter('netfilter', NF_ACCEPT),
    attach: ({ handle }) => new NetfilterProgram(handle).attach({ family, hook, priority: -7 }),
    trigger,
    twice: /a BPF program with priority -7 is there already, and each has its own \(EBUSY\)/,
  });
}

describe('a netfilter program', () => {
  const counters: Counter[] = [];
  const load = (answer = NF_ACCEPT) => {
    const counter = loadCounter('netfilter', answer);
    counters.push(counter);
    return { counter, program: new NetfilterProgram(counter.handle) };
  };
  afterEach(() => {
    for (const counter of counters.splice(0)) counter.close();
  });
  const input = { family: 'ipv4', hook: 'input' } as const;

  it.runIf(kernelHas.netfilter)('runs before those of higher priorities, and keeps packets from them', () => {
    const first = load(NF_DROP);
    const last = load();
    last.program.attach({ ...input, priority: 20 });
    const link = first.program.attach({ ...input, priority: 10 });
    expect(link.target).toBe('netfilter ipv4 input priority 10');
    expect(runsWithin(first.counter, receive)).toBe(true);
    const before = last.counter.runs();
    receive();
    expect(last.counter.runs()).toBe(before);
    link.detach();
    expect(runsWithin(last.counter, receive)).toBe(true);
  });

  it.runIf(kernelHas.netfilter && linuxKernel().version >= kernelVersion(6, 6))(
    'gets packets whole when it asks for that, which has its price in priority',
    () => {
      // The kernel of the emulated machine cannot load its modules itself.
      for (const module of ['nf_defrag_ipv4', 'nf_defrag_ipv6']) spawnSync('modprobe', [module]);
      const { program } = load();
      program.attach({ ...input, defrag: true }).detach();
      program.attach({ family: 'ipv6', hook: 'input', defrag: true }).detach();
      expectRefusal(
        () => program.attach({ ...input, defrag: true, priority: -400 }),
        'priority -400 is before packets are put together, which is at -400',
      );
    },
  );

  it.runIf(kernelHas.netfilter)('is refused priorities the kernel keeps', () => {
    const { program } = load();
    for (const priority of [-(2 ** 31), 2 ** 31 - 1]) {
      expectRefusal(
        () => program.attach({ ...input, priority }),
        `priority ${priority} is kept for the kernel itself (ERANGE)`,
      );
    }
  });
});
