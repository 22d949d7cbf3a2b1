import type { Fd } from '../kernel/kernel.js';
import { attachError, errnoOf } from '../link/attach-error.js';
import { deviceIndex, deviceName } from '../link/device.js';
import { Link } from '../link/link.js';
import { whyRefused } from '../link/privilege.js';
import { type SocketTarget, socketFd } from '../link/socket-target.js';
import { BPF_PROG_TYPE } from '../uapi.js';
import { type PacketRun, type PacketRunResult, runOnPacket } from './packet-run.js';
import { kind, Program } from './program.js';

/** A program that sees what a socket receives and says how many bytes of it to keep. `SEC("socket")`, Linux 3.19. */
export class SocketFilterProgram extends Program {
  /**
   * Runs the program on every packet of a network device, by name or index: through a packet socket of its own, which
   * detaching closes. Nobody reads that socket, so a program that only counts should return 0.
   */
  attach(device: string | number): Link {
    const { kernel } = this.handle;
    const prog = this.fd;
    const ifindex = deviceIndex(kernel, this.name, 'socket filter on', device);
    const attachment = { program: this.name, target: `socket filter on ${deviceName(kernel, ifindex)}` };
    let socket: Fd | undefined;
    try {
      const opened = kernel.packetSocket(ifindex);
      socket = opened;
      kernel.socketAttach(opened, prog);
      return this.handle.own(new Link({ kernel, ...attachment, release: () => kernel.close(opened) }));
    } catch (error) {
      if (socket !== undefined) kernel.close(socket);
      const refused = errnoOf(error) === 'EPERM';
      throw attachError(attachment, error, refused ? whyRefused(kernel, ['CAP_NET_RAW']) : undefined);
    }
  }

  /**
   * Makes the program the filter of a socket the caller has, in place of any filter before it. Detach the link before
   * closing the socket.
   */
  attachTo(socket: SocketTarget): Link {
    const { kernel } = this.handle;
    const fd = socketFd(socket);
    const attachment = { program: this.name, target: `socket ${fd}` };
    try {
      kernel.socketAttach(fd, this.fd);
    } catch (error) {
      throw attachError(attachment, error);
    }
    return this.handle.own(new Link({ kernel, ...attachment, release: () => kernel.socketDetach(fd) }));
  }

  /** Runs the program on a packet, without attaching it; `returnValue` says what it would do with it. Linux 4.12. */
  run(packet: Uint8Array, options?: PacketRun): PacketRunResult {
    return runOnPacket(this.runnable(), packet, options);
  }
}

/** `SEC("socket")`. */
export const socketFilter = kind({
  kindName: 'socketFilter',
  sections: [{ match: 'socket', type: BPF_PROG_TYPE.SOCKET_FILTER }],
  program: SocketFilterProgram,
});
