import { type PacketRun, type PacketRunResult, runOnPacket } from './packet-run.js';
import { Program } from './program.js';

/** A program that is given packets of the network stack (`struct __sk_buff`). */
export class PacketProgram extends Program {
  /** Runs the program on a packet, without attaching it; `returnValue` says what it would do with it. Linux 4.12. */
  run(packet: Uint8Array, options?: PacketRun): PacketRunResult {
    return runOnPacket(this.runnable(), packet, options);
  }
}
