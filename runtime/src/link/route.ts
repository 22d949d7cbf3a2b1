import type { BpfRoute, Kernel } from '../kernel/kernel.js';
import { type Attachment, attachError, errnoOf, type Reason } from './attach-error.js';
import { deviceName } from './device.js';
import { Link } from './link.js';
import { whyRefused } from './privilege.js';

/** A program on its way to the packets of a new route. */
export interface RouteAttachment extends Attachment {
  readonly kernel: Kernel;
  readonly route: Omit<BpfRoute, 'name'>;
}

/** Adds the route. Its link takes it away again, and no other. */
export function attachRoute(attachment: RouteAttachment): Link {
  const { kernel, program, target } = attachment;
  const { name, id } = kernel.progInfo(attachment.route.prog);
  const route = { ...attachment.route, name: `${name}:[${id}]` };
  try {
    kernel.routeCreate(route);
  } catch (error) {
    throw attachError(attachment, error, whyNoRoute(attachment, errnoOf(error)));
  }
  return new Link({ kernel, program, target, release: () => removeRoute(kernel, route) });
}

/** In peace when the route is gone: with its device, when that went down, or because somebody deleted it. */
function removeRoute(kernel: Kernel, route: BpfRoute): void {
  try {
    kernel.routeDelete(route);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'ESRCH' && errno !== 'ENODEV' && errno !== 'ENETDOWN') throw error;
  }
}

function whyNoRoute({ kernel, route }: RouteAttachment, errno: string | undefined): Reason | undefined {
  const device = deviceName(kernel, route.ifindex);
  switch (errno) {
    case 'EPERM':
      return whyRefused(kernel, ['CAP_NET_ADMIN']);
    case 'EEXIST':
      return {
        why: 'there is a route to the same destination, with the same metric, in the same table',
        hint: 'Delete it (ip route del), or give this one another metric',
      };
    case 'ENETDOWN':
      return { why: `${device} is down`, hint: `ip link set ${device} up` };
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
      return route.gateway === undefined
        ? undefined
        : { why: `the gateway is not reachable through ${device}` };
    case 'EOPNOTSUPP':
      return route.hook === 'seg6local'
        ? {
            why: 'this kernel has no segment routing with programs (CONFIG_IPV6_SEG6_LWTUNNEL, CONFIG_IPV6_SEG6_BPF)',
            unsupported: { feature: 'lwt_seg6local' },
          }
        : {
            why: 'this kernel has no routes with programs (CONFIG_LWTUNNEL_BPF)',
            unsupported: { feature: 'lwt' },
          };
    default:
      return undefined;
  }
}
