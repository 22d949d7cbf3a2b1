import { goodFd } from './descriptors.js';
import { syscallError } from './errno.js';
import { type AddressOf, Fields } from './fields.js';
import type { Kernel, PerfEvent } from './kernel.js';
import type { Libc } from './libc.js';

/** Byte offsets in `struct perf_event_attr`; a kernel test compares them with BTF. */
export const PERF_ATTR = {
  type: 0,
  size: 4,
  config: 8,
  sample_period: 16,
  sample_type: 24,
  bits: 40,
  wakeup_events: 48,
  bp_type: 52,
  config1: 56,
  config2: 64,
} as const;

/** PERF_ATTR_SIZE_VER1, which has `config2`: every kernel with BPF takes it. */
const PERF_ATTR_SIZE = 72;

const BIT_DISABLED = 1n << 0n;
const BIT_INHERIT = 1n << 1n;
const BIT_FREQ = 1n << 10n;
const BIT_WATERMARK = 1n << 14n;
const BIT_WRITE_BACKWARD = 1n << 27n;

const PERF_FLAG_FD_CLOEXEC = 8;
const IOC_ENABLE = 0x2400;
const IOC_DISABLE = 0x2401;
const IOC_SET_BPF = 0x40042408;
const IOC_PAUSE_OUTPUT = 0x40042409;

export function perfEventAttr(event: PerfEvent, addressOf: AddressOf): Fields {
  const bits =
    (event.disabled === true ? BIT_DISABLED : 0n) |
    (event.inherit === true ? BIT_INHERIT : 0n) |
    (event.sampleFrequency === undefined ? 0n : BIT_FREQ) |
    (event.wakeupWatermark === undefined ? 0n : BIT_WATERMARK) |
    (event.writeBackward === true ? BIT_WRITE_BACKWARD : 0n);
  const fields = new Fields(PERF_ATTR_SIZE, addressOf)
    .u32(PERF_ATTR.type, event.type)
    .u32(PERF_ATTR.size, PERF_ATTR_SIZE)
    .u64(PERF_ATTR.config, event.config)
    .u64(PERF_ATTR.sample_period, event.sampleFrequency ?? event.samplePeriod)
    .u64(PERF_ATTR.sample_type, event.sampleType)
    .u64(PERF_ATTR.bits, bits)
    .u32(PERF_ATTR.wakeup_events, event.wakeupWatermark ?? event.wakeupEvents)
    .u32(PERF_ATTR.bp_type, event.breakpointType)
    .u64(PERF_ATTR.config1, event.config1)
    .u64(PERF_ATTR.config2, event.config2);
  // The symbol or path a probe is for takes the place of config1.
  return fields.string(PERF_ATTR.config1, event.target);
}

type PerfCalls = Pick<
  Kernel,
  'perfEventOpen' | 'perfEventSetBpf' | 'perfEventEnable' | 'perfEventDisable' | 'perfEventPauseOutput'
>;

export function perfCalls(libc: Libc): PerfCalls {
  const control = (fd: number, request: number, argument: number, name: string): void => {
    if (libc.ioctl(fd, request, argument) < 0) throw syscallError(`ioctl(${name})`, libc.errno());
  };
  return {
    perfEventOpen(event) {
      const fields = perfEventAttr(event, libc.address);
      const fd = libc.perfEventOpen(fields.bytes, event.pid, event.cpu, -1, PERF_FLAG_FD_CLOEXEC);
      fields.release();
      return goodFd(libc, 'perf_event_open', fd, event.target);
    },
    perfEventSetBpf: (event, prog) => control(event, IOC_SET_BPF, prog, 'PERF_EVENT_IOC_SET_BPF'),
    perfEventEnable: (event) => control(event, IOC_ENABLE, 0, 'PERF_EVENT_IOC_ENABLE'),
    perfEventDisable: (event) => control(event, IOC_DISABLE, 0, 'PERF_EVENT_IOC_DISABLE'),
    perfEventPauseOutput: (event, paused) =>
      control(event, IOC_PAUSE_OUTPUT, Number(paused), 'PERF_EVENT_IOC_PAUSE_OUTPUT'),
  };
}
