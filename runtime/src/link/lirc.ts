import { printable } from '../errors.js';
import type { Fd, Kernel } from '../kernel/kernel.js';
import { BPF_ATTACH_TYPE } from '../uapi.js';
import { type Attachment, attachError, attachedAlready, errnoOf, type Reason } from './attach-error.js';
import { type FileTarget, nameOfTarget, openTarget } from './file-target.js';
import { Link } from './link.js';
import { whyRefused } from './privilege.js';
import { releaseAll } from './release.js';
import { list, readText } from './text.js';

/** A program on its way to an infrared device. */
export interface LircAttachment extends Attachment {
  readonly kernel: Kernel;
  readonly prog: Fd;
  readonly device: FileTarget;
}

const attachType = BPF_ATTACH_TYPE.LIRC_MODE2;

/** BPF_PROG_ATTACH on the device's file: there are no links of infrared devices. */
export function attachLirc(attachment: LircAttachment): Link {
  const { kernel, prog, program, target, device } = attachment;
  let fd: Fd;
  try {
    // For writing, which newer kernels ask for.
    fd = openTarget(kernel, device, true);
  } catch (error) {
    const missing = errnoOf(error) === 'ENOENT';
    throw attachError(attachment, error, missing ? whyNoDevice(kernel, device) : undefined);
  }
  try {
    kernel.progAttach({ target: fd, prog, attachType });
  } catch (error) {
    kernel.close(fd);
    throw attachError(attachment, error, whyNot(attachment, error));
  }
  return new Link({
    kernel,
    program,
    target,
    release: () =>
      releaseAll(
        () => detach(kernel, fd, prog),
        () => kernel.close(fd),
      ),
  });
}

/** In peace when the device is gone. */
function detach(kernel: Kernel, target: Fd, prog: Fd): void {
  try {
    kernel.progDetach({ target, prog, attachType });
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    if (!['ENOENT', 'ENODEV'].includes(errno)) throw error;
  }
}

function whyNoDevice(kernel: Kernel, device: FileTarget): Reason {
  const devices = (list(kernel, '/sys/class/lirc') ?? []).map((name) => `/dev/${printable(name)}`);
  return {
    why: `there is no ${printable(nameOfTarget(device))}`,
    hint: devices.length > 0 ? `This host has ${devices.join(', ')}` : 'This host has no infrared device',
  };
}

/** What each errno stands for in lirc_prog_attach (drivers/media/rc/bpf-lirc.c). */
function whyNot({ kernel, device }: LircAttachment, error: unknown): Reason | undefined {
  switch (errnoOf(error)) {
    case 'EINVAL':
      return {
        why: `${printable(nameOfTarget(device))} is not an infrared device that receives raw signals`,
      };
    case 'EEXIST':
      return attachedAlready;
    case 'E2BIG':
      return { why: 'the device already has as many programs as it can (64)' };
    case 'EPERM':
      return whyReadOnly(kernel, device) ?? whyRefused(kernel, ['CAP_BPF', 'CAP_NET_ADMIN']);
    default:
      return undefined;
  }
}

/** `flags` of fdinfo are those of open(2), in octal; the last two bits are the access mode. */
function whyReadOnly(kernel: Kernel, device: FileTarget): Reason | undefined {
  if (typeof device === 'string') return undefined;
  const fd = typeof device === 'number' ? device : device.fd;
  const mode = /^flags:\s*[0-7]*([0-7])$/m.exec(readText(kernel, `/proc/self/fdinfo/${fd}`) ?? '')?.[1];
  return mode !== undefined && Number(mode) % 4 === 0
    ? {
        why: `descriptor ${fd} was opened for reading only`,
        hint: 'Open it for reading and writing, or pass the path',
      }
    : undefined;
}
