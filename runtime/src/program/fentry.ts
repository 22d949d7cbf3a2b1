import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { kind } from './program.js';
import { TracingProgram, withSleepable } from './tracing.js';

const attachBtf = { prefix: '', kind: 'func' } as const;

/** A program that runs where a kernel function starts, with typed arguments. `SEC("fentry/do_unlinkat")`, Linux 5.5. */
export class FentryProgram extends TracingProgram {}

/** `SEC("fentry/func")`, `SEC("fentry/module:func")`. */
export const fentry = kind({
  kindName: 'fentry',
  sections: withSleepable('fentry', {
    type: BPF_PROG_TYPE.TRACING,
    attachType: BPF_ATTACH_TYPE.TRACE_FENTRY,
    attachBtf,
  }),
  program: FentryProgram,
  autoAttach: (program) => program.attach(),
});

/** A program that runs when a kernel function returns, with arguments and result. `SEC("fexit/do_unlinkat")`, Linux 5.5. */
export class FexitProgram extends TracingProgram {}

/** `SEC("fexit/func")`, `SEC("fexit/module:func")`. */
export const fexit = kind({
  kindName: 'fexit',
  sections: withSleepable('fexit', {
    type: BPF_PROG_TYPE.TRACING,
    attachType: BPF_ATTACH_TYPE.TRACE_FEXIT,
    attachBtf,
  }),
  program: FexitProgram,
  autoAttach: (program) => program.attach(),
});

/** A program that may change what a kernel function returns. `SEC("fmod_ret/__x64_sys_getpgid")`, Linux 5.7. */
export class FmodRetProgram extends TracingProgram {}

/** `SEC("fmod_ret/func")`, for functions the kernel marks ALLOW_ERROR_INJECTION and for LSM hooks. */
export const fmodRet = kind({
  kindName: 'fmodRet',
  sections: withSleepable('fmod_ret', {
    type: BPF_PROG_TYPE.TRACING,
    attachType: BPF_ATTACH_TYPE.MODIFY_RETURN,
    attachBtf,
  }),
  program: FmodRetProgram,
  autoAttach: (program) => program.attach(),
});

/** A program that runs where a kernel function starts and again when it returns. `SEC("fsession/do_unlinkat")`, Linux 7.0. */
export class FsessionProgram extends TracingProgram {}

/** `SEC("fsession/func")`. */
export const fsession = kind({
  kindName: 'fsession',
  sections: withSleepable('fsession', {
    type: BPF_PROG_TYPE.TRACING,
    attachType: BPF_ATTACH_TYPE.TRACE_FSESSION,
    attachBtf,
  }),
  program: FsessionProgram,
  autoAttach: (program) => program.attach(),
});
