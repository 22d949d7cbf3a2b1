import { type FileTarget, nameOfTarget } from '../link/file-target.js';
import type { Link } from '../link/link.js';
import { attachLirc } from '../link/lirc.js';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { kind, Program } from './program.js';

/**
 * A program that decodes what an infrared receiver sees, pulse by pulse, into keys. `SEC("lirc_mode2")`, Linux 4.18
 * (CONFIG_BPF_LIRC_MODE2).
 */
export class LircMode2Program extends Program {
  /**
   * Attaches to an infrared device by path (`/dev/lirc0`), or by a descriptor that is open for reading and writing. The
   * program stays with the device when the process dies without detaching.
   */
  attach(device: FileTarget): Link {
    const { kernel } = this.handle;
    const target = `lirc_mode2 ${nameOfTarget(device)}`;
    return this.handle.own(attachLirc({ kernel, program: this.name, target, prog: this.fd, device }));
  }
}

/** `SEC("lirc_mode2")`. */
export const lircMode2 = kind({
  kindName: 'lircMode2',
  sections: [
    {
      match: 'lirc_mode2',
      type: BPF_PROG_TYPE.LIRC_MODE2,
      attachType: BPF_ATTACH_TYPE.LIRC_MODE2,
      attachTypeOptional: true,
    },
  ],
  program: LircMode2Program,
});
