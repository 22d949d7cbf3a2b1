import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isBpfError } from '../../runtime/src/errors.js';
import type { Fd } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { attachTypeOf } from '../../runtime/src/loader/load-program.js';
import { openLink } from '../../runtime/src/open-link.js';
import { kindOf } from '../../runtime/src/program/kinds.js';
import { BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { Agent } from './agent.js';
import { kernelHas } from './facts.js';
import { buildProbed, probed, runProbed } from './probed.js';
import { TestCgroup } from './test-cgroup.js';

const dist = new URL('../../runtime/dist/', import.meta.url).href;
const kernel = linuxKernel();
const pin = `/sys/fs/bpf/bpfskel-kill-${process.pid}`;

/** One program that the child attaches. */
interface Kind {
  readonly name: string;
  readonly section: string;
  /** The class of programs, and what its `attach` is given. */
  readonly kind: string;
  readonly args: readonly unknown[];
  readonly answer: number;
  /** Makes it run. */
  trigger(): void;
  readonly pin?: string;
}

/** What the child made. */
interface Made {
  readonly ownMap: number;
  readonly links: readonly { readonly link: number; readonly prog: number }[];
}

let cgroup: TestCgroup;
let sender: Agent;
beforeAll(() => {
  buildProbed();
  cgroup = new TestCgroup();
  sender = new Agent();
});
afterAll(() => {
  cgroup.close();
  sender.close();
  rmSync(pin, { force: true });
});

const datagram = 'send(udp4(), "x", 0, in4(9))';
const kinds = (): readonly Kind[] => {
  const onLo = () => void sender.do(datagram);
  const exec = () => runProbed();
  return [
    {
      name: 'pinned',
      section: 'raw_tp/sched_process_exec',
      kind: 'RawTracepointProgram',
      pin,
      ...of(0, exec),
    },
    { name: 'tracepoint', section: 'tp/sched/sched_process_exec', kind: 'TracepointProgram', ...of(0, exec) },
    { name: 'raw_tp', section: 'raw_tp/sched_process_fork', kind: 'RawTracepointProgram', ...of(0, exec) },
    { name: 'uprobe', section: `uprobe/${probed.program}:probed_add`, kind: 'UprobeProgram', ...of(0, exec) },
    { name: 'xdp', section: 'xdp', kind: 'XdpProgram', ...of(2, onLo, 'lo', { mode: 'generic' }) },
    {
      name: 'cgroup',
      section: 'cgroup_skb/egress',
      kind: 'CgroupSkbProgram',
      ...of(1, () => void cgroup.agent.do(datagram), cgroup.path),
    },
    ...(kernelHas.tcx
      ? [{ name: 'tcx', section: 'tcx/ingress', kind: 'TcxProgram', ...of(-1, onLo, 'lo') }]
      : []),
  ];
};
const of = (answer: number, trigger: () => void, ...args: readonly unknown[]) => ({ answer, trigger, args });

/** Loads and attaches each kind, tells the ids, and waits to be killed. */
const child = (requests: readonly object[]) => `
import { linuxKernel } from '${dist}kernel/linux.js';
import { encodeInsns, LD_IMM64, PseudoLoad } from '${dist}insn.js';
import * as programs from '${dist}program/index.js';
const kernel = linuxKernel();
const ownMap = kernel.mapInfo(kernel.mapCreate({ type: 1, keySize: 4, valueSize: 4, maxEntries: 1 })).id;
const links = ${JSON.stringify(requests)}.map(({ name, section, target, type, expectedAttachType, kind, args, answer, map, pin }) => {
  const insns = encodeInsns([
    { code: LD_IMM64, dst: 1, src: PseudoLoad.MAP_VALUE, imm: kernel.mapById(map) },
    { code: 0 },
    { code: 0xb7, dst: 2, imm: 1 },
    { code: 0xdb, dst: 1, src: 2 },
    { code: 0xb7, dst: 0, imm: answer },
    { code: 0x95 },
  ], kernel.littleEndian);
  const fd = kernel.progLoad({ type, insns, license: 'GPL', name, expectedAttachType });
  const program = new programs[kind]({ kernel, name, section, target, expectedAttachType, fd: () => fd, own: (link) => link });
  const link = program.attach(...args);
  if (pin !== undefined) link.pin(pin);
  const info = link.info();
  return { link: info.id, prog: info.progId };
});
console.log(JSON.stringify({ ownMap, links }));
setInterval(() => {}, 1e6);
`;

/** True until the kernel knows it no more: it lets go of what a process leaves a moment later. */
async function isGone(open: () => Fd): Promise<boolean> {
  const end = Date.now() + 10_000;
  while (Date.now() < end) {
    try {
      kernel.close(open());
    } catch (error) {
      if (isBpfError(error) && error.code === 'ENOENT') return true;
      throw error;
    }
    await new Promise((done) => setTimeout(done, 20));
  }
  return false;
}

describe('a process that is killed', () => {
  it('leaves nothing attached and nothing alive but what it pinned', async () => {
    const all = kinds();
    const counters = all.map(() =>
      kernel.mapCreate({ type: BPF_MAP_TYPE.ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 }),
    );
    const runs = (index: number): bigint => {
      const value = new Uint8Array(8);
      kernel.mapLookup(counters[index] ?? -1, new Uint8Array(4), value);
      return new DataView(value.buffer).getBigUint64(0, kernel.littleEndian);
    };
    /** Those that run when they are made to. */
    const running = (): string[] => {
      const before = all.map((_, index) => runs(index));
      for (const { trigger } of all) trigger();
      return all.flatMap(({ name }, index) => (runs(index) > (before[index] ?? 0n) ? [name] : []));
    };
    const requests = all.map(({ trigger: _, ...rest }, index) => {
      const meaning = kindOf(rest.section);
      if (meaning === undefined) throw new Error(rest.section);
      const { rule, target } = meaning;
      const map = kernel.mapInfo(counters[index] ?? -1).id;
      return { ...rest, target, type: rule.type, expectedAttachType: attachTypeOf(rule, kernel), map };
    });
    const process = spawn(globalThis.process.execPath, ['--input-type=module', '-e', child(requests)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [line] = await once(process.stdout, 'data');
      const { ownMap, links }: Made = JSON.parse(String(line));
      expect(running()).toEqual(all.map(({ name }) => name));

      process.kill('SIGKILL');
      await once(process, 'exit');
      const [pinned, ...others] = links;
      expect(await isGone(() => kernel.mapById(ownMap))).toBe(true);
      for (const { link, prog } of others) {
        expect(await isGone(() => kernel.linkById(link))).toBe(true);
        expect(await isGone(() => kernel.progById(prog))).toBe(true);
      }
      expect(running()).toEqual(['pinned']);

      const link = openLink(pin);
      expect(link.info()).toMatchObject({ id: pinned?.link, progId: pinned?.prog, progName: 'pinned' });
      link.unpin();
      expect(existsSync(pin)).toBe(false);
      expect(running()).toEqual(['pinned']);
      link.close();
      expect(await isGone(() => kernel.linkById(pinned?.link ?? 0))).toBe(true);
      expect(await isGone(() => kernel.progById(pinned?.prog ?? 0))).toBe(true);
      expect(running()).toEqual([]);
    } finally {
      process.kill('SIGKILL');
      for (const fd of counters) kernel.close(fd);
    }
  });
});
