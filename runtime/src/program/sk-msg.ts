import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { kind } from './program.js';
import { SockmapProgram } from './sockmap.js';

/**
 * A program that sees what is sent on the sockets of a map, and passes, drops or redirects it. `SEC("sk_msg")`, Linux
 * 4.17.
 */
export class SkMsgProgram extends SockmapProgram {}

/** `SEC("sk_msg")`. */
export const skMsg = kind({
  kindName: 'skMsg',
  sections: [
    {
      match: 'sk_msg',
      type: BPF_PROG_TYPE.SK_MSG,
      attachType: BPF_ATTACH_TYPE.SK_MSG_VERDICT,
      attachTypeOptional: true,
    },
  ],
  program: SkMsgProgram,
});
