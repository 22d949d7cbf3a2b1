import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { NetnsProgram } from './netns.js';
import { kind } from './program.js';

/**
 * A program that chooses the socket that gets a new connection or datagram, before the kernel looks for one by address and
 * port. `SEC("sk_lookup")`, Linux 5.9.
 */
export class SkLookupProgram extends NetnsProgram {}

/** `SEC("sk_lookup")`. */
export const skLookup = kind({
  kindName: 'skLookup',
  sections: [{ match: 'sk_lookup', type: BPF_PROG_TYPE.SK_LOOKUP, attachType: BPF_ATTACH_TYPE.SK_LOOKUP }],
  program: SkLookupProgram,
});
