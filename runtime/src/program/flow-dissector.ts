import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { type FlowRun, type FlowRunResult, runFlow } from './flow-run.js';
import { NetnsProgram } from './netns.js';
import { kind } from './program.js';

/**
 * A program that takes packets apart for those who want to tell flows from each other. One in the first network namespace
 * is for all namespaces, and then no other can have one. `SEC("flow_dissector")`, Linux 4.20, by bpf_link 5.8.
 */
export class FlowDissectorProgram extends NetnsProgram {
  /**
   * Runs the program on a packet that begins with its Ethernet header, without attaching it: `keys` are what it made of
   * the packet. Linux 5.0.
   *
   * @example expect(skel.progs.dissect.run(packet).keys.dport).toBe(443);
   */
  run(packet: Uint8Array, options?: FlowRun): FlowRunResult {
    return runFlow(this.runnable(), packet, options);
  }
}

/** `SEC("flow_dissector")`. */
export const flowDissector = kind({
  kindName: 'flowDissector',
  sections: [
    {
      match: 'flow_dissector',
      type: BPF_PROG_TYPE.FLOW_DISSECTOR,
      attachType: BPF_ATTACH_TYPE.FLOW_DISSECTOR,
      attachTypeOptional: true,
    },
  ],
  program: FlowDissectorProgram,
});
