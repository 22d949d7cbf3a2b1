import { printable } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import { attachError, cannotAttach, errnoOf, type Reason } from './attach-error.js';
import { nearest } from './nearest.js';
import { readText } from './text.js';

/** Hosts of containers have hundreds. */
const MOST_SHOWN = 12;

/** Index of a device given by name or index; the error for an unknown one names those there are. */
export function deviceIndex(kernel: Kernel, program: string, what: string, device: string | number): number {
  const attachment = { program, target: `${what} ${device}` };
  if (typeof device === 'number') {
    if (kernel.ifname(device) !== undefined) return device;
    throw cannotAttach(attachment, 'ENODEV', whyNoDevice(kernel, `with index ${device}`));
  }
  try {
    return kernel.ifindex(device);
  } catch (error) {
    const unknown = errnoOf(error) === 'ENODEV';
    const reason = unknown ? whyNoDevice(kernel, `called ${printable(device)}`, device) : undefined;
    throw attachError(attachment, error, reason);
  }
}

/** What a device is called now, for messages; the name may change. */
export function deviceName(kernel: Kernel, ifindex: number): string {
  return printable(kernel.ifname(ifindex) ?? `device ${ifindex}`);
}

function whyNoDevice(kernel: Kernel, which: string, name = ''): Reason {
  const why = `there is no network device ${which}`;
  // Of the network namespace of this process; /sys/class/net shows the one it was mounted in.
  const lines = (readText(kernel, '/proc/self/net/dev') ?? '').split('\n').slice(2);
  const devices = lines.flatMap((line) => /^\s*([^:\s]+):/.exec(line)?.[1] ?? []);
  if (devices.length === 0) return { why };
  const near = nearest(name, devices).map((each) => printable(each));
  const meant = near.length > 0 ? `Did you mean ${near.join(' or ')}? ` : '';
  const shown = devices.slice(0, MOST_SHOWN).map((each) => printable(each));
  const more = devices.length > shown.length ? `, and ${devices.length - shown.length} more` : '';
  return { why, hint: `${meant}This network namespace has ${shown.join(', ')}${more}` };
}
