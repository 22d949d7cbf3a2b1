import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { NetnsProgram } from './netns.js';
import { kind } from './program.js';
import {
  runSkLookup,
  type SkLookupContext,
  type SkLookupRun,
  type SkLookupRunResult,
} from './sk-lookup-run.js';

/**
 * A program that chooses the socket that gets a new connection or datagram, before the kernel looks for one by address and
 * port. `SEC("sk_lookup")`, Linux 5.9.
 */
export class SkLookupProgram extends NetnsProgram {
  /**
   * Runs the program as if this packet looked for its socket, without attaching it. Linux 5.13. Throws a BpfError when
   * the addresses are none, or the program chose one of several sockets that share a port.
   *
   * @example
   * const context = {
   *   protocol: 6, remote_ip4: '192.0.2.7', remote_port: 40000, local_ip4: '198.51.100.1', local_port: 443,
   * };
   * expect(skel.progs.steer.run(context).action).toBe('SK_PASS');
   */
  run(context: SkLookupContext, options?: SkLookupRun): SkLookupRunResult {
    return runSkLookup(this.runnable(), context, options);
  }
}

/** `SEC("sk_lookup")`. */
export const skLookup = kind({
  kindName: 'skLookup',
  sections: [{ match: 'sk_lookup', type: BPF_PROG_TYPE.SK_LOOKUP, attachType: BPF_ATTACH_TYPE.SK_LOOKUP }],
  program: SkLookupProgram,
});
