import { printable } from '../errors.js';
import type { BpfRoute } from '../kernel/kernel.js';
import { cannotAttach } from '../link/attach-error.js';
import { deviceIndex } from '../link/device.js';
import type { Link } from '../link/link.js';
import { attachRoute } from '../link/route.js';
import { parseIp } from '../map/ip-text.js';
import { Prefix } from '../map/prefix.js';
import { BPF_PROG_TYPE } from '../uapi.js';
import { PacketProgram } from './packet-program.js';
import { kind } from './program.js';

/** The route a program is attached to. */
export interface LwtRoute {
  /** `10.1.0.0/16`, `2001:db8::/32`, or an address. */
  readonly destination: string;
  /** The device packets leave through, by name or index. For programs that see arriving packets too. */
  readonly device: string | number;
  /** The address of the next router, of the family of `destination`. */
  readonly gateway?: string;
  /** Of several routes to one destination the one with the lowest number is taken. */
  readonly metric?: number;
  /** Of routes; the main one (254) when absent. */
  readonly table?: number;
}

/** The route a program is attached to that sends packets. */
export interface LwtXmitRoute extends LwtRoute {
  /** Bytes the program may put in front of packets (bpf_lwt_push_encap, bpf_skb_change_head), at most 256. */
  readonly headroom?: number;
}

const MAX_HEADROOM = 256;

/** A program that is attached to a route. */
class RouteProgram extends PacketProgram {
  /** Adds a route whose packets the program handles at `hook`. */
  protected addRoute(hook: BpfRoute['hook'], route: LwtXmitRoute): Link {
    const { kernel } = this.handle;
    const prog = this.fd;
    const { destination, device, gateway, metric, table, headroom } = route;
    const target = `${this.section.replace('_', ' ')} route ${destination} dev ${device}`;
    const refuse = (why: string): never => {
      throw cannotAttach({ program: this.name, target }, 'ERR_BPF_ARGUMENT', { why });
    };
    const { bytes, length } = Prefix.parse(destination);
    const next = gateway === undefined ? undefined : parseIp(gateway);
    if (gateway !== undefined && next?.length !== bytes.length) {
      refuse(`gateway ${printable(gateway, 60)} is no address of the family of ${destination}`);
    }
    if (hook === 'seg6local' && bytes.length !== 16) refuse('segment routing is of IPv6');
    if (!isUpTo(MAX_HEADROOM, headroom)) refuse(`headroom ${headroom} is not from 0 to ${MAX_HEADROOM}`);
    if (!isUpTo(0xffffffff, metric)) refuse(`metric ${metric} is not from 0 to 4294967295`);
    if (!isUpTo(0xffffffff, table)) refuse(`table ${table} is not from 0 to 4294967295`);
    const ifindex = deviceIndex(kernel, this.name, `${this.section.replace('_', ' ')} route over`, device);
    return this.handle.own(
      attachRoute({
        kernel,
        program: this.name,
        target,
        route: {
          hook,
          prog,
          destination: bytes,
          prefixLength: length,
          ifindex,
          ...(next === undefined ? {} : { gateway: next }),
          ...(metric === undefined ? {} : { metric }),
          ...(table === undefined ? {} : { table }),
          ...(headroom === undefined ? {} : { headroom }),
        },
      }),
    );
  }
}

function isUpTo(most: number, value = 0): boolean {
  return Number.isInteger(value) && value >= 0 && value <= most;
}

/**
 * A program that sees the packets a route takes: `SEC("lwt_in")` those it brings to this host, `SEC("lwt_out")` those this
 * host sends. It may drop them (BPF_DROP), or pass them on (BPF_OK). Linux 4.10.
 */
export class LwtProgram extends RouteProgram {
  /**
   * Adds a route whose packets the program sees, as `ip route add 10.1.0.0/16 encap bpf out obj ... dev eth0` does. libbpf
   * has no function for this. The link deletes that route; it stays when the process dies without detaching.
   *
   * Throws a BpfError that says why not: a route that is there already, a device that is down, a gateway out of reach, a
   * kernel without CONFIG_LWTUNNEL_BPF.
   *
   * @example using link = skel.progs.watch.attach({ destination: '10.1.0.0/16', device: 'eth0' });
   */
  attach(route: LwtRoute): Link {
    return this.addRoute(this.section === 'lwt_in' ? 'in' : 'out', route);
  }
}

/** `SEC("lwt_in")`, `SEC("lwt_out")`. */
export const lwt = kind({
  kindName: 'lwt',
  sections: [
    { match: 'lwt_in', type: BPF_PROG_TYPE.LWT_IN },
    { match: 'lwt_out', type: BPF_PROG_TYPE.LWT_OUT },
  ],
  program: LwtProgram,
});

/** A program that may change, encapsulate and redirect the packets a route sends. `SEC("lwt_xmit")`, Linux 4.10. */
export class LwtXmitProgram extends RouteProgram {
  /** Adds a route whose packets pass through the program on their way out. As {@link LwtProgram.attach}. */
  attach(route: LwtXmitRoute): Link {
    return this.addRoute('xmit', route);
  }
}

/** `SEC("lwt_xmit")`. */
export const lwtXmit = kind({
  kindName: 'lwtXmit',
  sections: [{ match: 'lwt_xmit', type: BPF_PROG_TYPE.LWT_XMIT }],
  program: LwtXmitProgram,
});

/** A program that is an endpoint of IPv6 segment routing (End.BPF). `SEC("lwt_seg6local")`, Linux 4.18. */
export class LwtSeg6LocalProgram extends RouteProgram {
  /** Adds the IPv6 route of a segment, whose packets the program handles. As {@link LwtProgram.attach}. */
  attach(route: LwtRoute): Link {
    return this.addRoute('seg6local', route);
  }
}

/** `SEC("lwt_seg6local")`. */
export const lwtSeg6Local = kind({
  kindName: 'lwtSeg6Local',
  sections: [{ match: 'lwt_seg6local', type: BPF_PROG_TYPE.LWT_SEG6LOCAL }],
  program: LwtSeg6LocalProgram,
});
