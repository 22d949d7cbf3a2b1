import { BPF_PROG_TYPE } from '../uapi.js';
import { kind, Program } from './program.js';

/** A program that is not attached by itself: it is part of something that is. */
export class OtherProgram extends Program {}

/** Every section of libbpf's table (libbpf.c, section_defs) that has no kind of its own here, and unknown ones. */
export const otherProgram = kind({
  kindName: 'otherProgram',
  sections: [
    // Attached through their map.
    { match: 'struct_ops+', type: BPF_PROG_TYPE.STRUCT_OPS },
    { match: 'struct_ops.s+', type: BPF_PROG_TYPE.STRUCT_OPS, sleepable: true },
  ],
  program: OtherProgram,
});
