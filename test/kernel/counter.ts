import { encodeInsns, LD_IMM64, PseudoLoad } from '../../runtime/src/insn.js';
import type { Kernel } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import type { Link } from '../../runtime/src/link/link.js';
import { attachTypeOf } from '../../runtime/src/loader/load-program.js';
import { kindOf } from '../../runtime/src/program/kinds.js';
import type { ProgramHandle } from '../../runtime/src/program/program.js';
import { BPF_F_SLEEPABLE, BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { attachBtfId } from './kernel-types.js';

/** A loaded program that counts its runs. */
export interface Counter {
  readonly handle: ProgramHandle;
  runs(): number;
  /** Detaches what is still attached, and unloads. */
  close(): void;
}

/**
 * Loads a program for SEC(`section`) that adds one to a counter and returns `answer`. `over` replaces parts of the
 * kernel interface for attaching: an old kernel, played by the running one.
 */
export function loadCounter(section: string, answer = 0, over: Partial<Kernel> = {}): Counter {
  const kernel = linuxKernel();
  const meaning = kindOf(section);
  if (meaning === undefined) throw new Error(`no kind for ${section}`);
  const { rule, target } = meaning;
  const expectedAttachType = attachTypeOf(rule, kernel);
  const map = kernel.mapCreate({ type: BPF_MAP_TYPE.ARRAY, keySize: 4, valueSize: 8, maxEntries: 1 });
  const insns = encodeInsns(
    [
      { code: LD_IMM64, dst: 1, src: PseudoLoad.MAP_VALUE, imm: map },
      { code: 0 },
      { code: 0xb7, dst: 2, imm: 1 }, // r2 = 1
      { code: 0xdb, dst: 1, src: 2 }, // lock *(u64 *)(r1 + 0) += r2
      { code: 0xb7, dst: 0, imm: answer }, // r0 = answer
      { code: 0x95 }, // exit
    ],
    kernel.littleEndian,
  );
  const prog = kernel.progLoad({
    type: rule.type,
    insns,
    license: 'GPL',
    name: 'counter',
    flags: rule.sleepable ? BPF_F_SLEEPABLE : 0,
    expectedAttachType,
    ...(rule.attachBtf ? { attachBtfId: attachBtfId(rule.attachBtf, target) } : {}),
  });
  const links: Link[] = [];
  const key = new Uint8Array(4);
  const value = new Uint8Array(8);
  return {
    handle: {
      kernel: { ...kernel, ...over },
      name: 'counter',
      section,
      target,
      expectedAttachType,
      fd: () => prog,
      own(link) {
        links.push(link);
        return link;
      },
    },
    runs() {
      kernel.mapLookup(map, key, value);
      return Number(new DataView(value.buffer).getBigUint64(0, kernel.littleEndian));
    },
    close() {
      for (const link of links) link.detach();
      kernel.close(prog);
      kernel.close(map);
    },
  };
}
