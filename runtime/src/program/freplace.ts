import { BPF_PROG_TYPE } from '../uapi.js';
import { kind } from './program.js';
import { TracingProgram } from './tracing.js';

/**
 * A program that takes the place of a global function of another program, until it is detached. `SEC("freplace/func")`,
 * Linux 5.6. It is attached again on Linux 5.10, while the other program is loaded.
 *
 * @example
 * open.progs.patch.attachTarget = { program: other.progs.count_packets };
 * using skel = open.load();
 * skel.attach();
 */
export class FreplaceProgram extends TracingProgram {}

/** `SEC("freplace/func")`. */
export const freplace = kind({
  kindName: 'freplace',
  sections: [{ match: 'freplace+', type: BPF_PROG_TYPE.EXT, attachBtf: { prefix: '', kind: 'func' } }],
  program: FreplaceProgram,
  autoAttach: (program) => program.attach(),
});
