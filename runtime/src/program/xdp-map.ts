import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { kind, Program } from './program.js';

/**
 * An XDP program that is put into a map and not attached to a device: `SEC("xdp/devmap")` runs for packets that are
 * redirected to a device (Linux 5.8), `SEC("xdp/cpumap")` on the CPU that packets are redirected to (Linux 5.9).
 *
 * @example skel.maps.ports.set(0, { device: 'eth1', program: skel.progs.on_device });
 */
export class XdpMapProgram extends Program {}

const { XDP } = BPF_PROG_TYPE;

/** `SEC("xdp/devmap")`, `SEC("xdp/cpumap")`; `.frags` for packets in several buffers (Linux 5.18). */
export const xdpMap = kind({
  kindName: 'xdpMap',
  sections: [
    { match: 'xdp.frags/devmap', type: XDP, attachType: BPF_ATTACH_TYPE.XDP_DEVMAP, frags: true },
    { match: 'xdp/devmap', type: XDP, attachType: BPF_ATTACH_TYPE.XDP_DEVMAP },
    { match: 'xdp.frags/cpumap', type: XDP, attachType: BPF_ATTACH_TYPE.XDP_CPUMAP, frags: true },
    { match: 'xdp/cpumap', type: XDP, attachType: BPF_ATTACH_TYPE.XDP_CPUMAP },
  ],
  program: XdpMapProgram,
});
