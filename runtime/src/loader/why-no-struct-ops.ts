import { printable } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import { kernelVersion } from '../uapi.js';

/** What a subsystem that takes struct_ops came with. */
interface Subsystem {
  readonly since: readonly [major: number, minor: number];
  /** The setting of the kernel's build without which it is not there. */
  readonly config: string;
}

/** By the name of the kernel's struct. */
const subsystems: ReadonlyMap<string, Subsystem> = new Map([
  ['tcp_congestion_ops', { since: [5, 6], config: 'CONFIG_BPF_JIT' }],
  ['hid_bpf_ops', { since: [6, 11], config: 'CONFIG_HID_BPF' }],
  ['sched_ext_ops', { since: [6, 12], config: 'CONFIG_SCHED_CLASS_EXT' }],
  ['Qdisc_ops', { since: [6, 16], config: 'CONFIG_NET_SCH_BPF' }],
]);

/** Why a kernel has no struct_ops of a type, and the version that first had it, as far as these are known. */
export function whyNoStructOps(
  kernel: Kernel,
  name: string,
): { readonly why: string; readonly since?: string } {
  const type = printable(name);
  const subsystem = subsystems.get(name);
  if (subsystem === undefined) return { why: `this kernel has no struct_ops of type ${type}` };
  const { since: version, config } = subsystem;
  const since = version.join('.');
  const release = printable(kernel.release);
  if (kernel.version < kernelVersion(...version)) {
    return {
      why: `this kernel has no struct_ops of type ${type}: they came with Linux ${since} (${config}), and this is ${release}`,
      since,
    };
  }
  const settings = kernel.buildConfig();
  const setting = settings === undefined ? undefined : settingOf(settings, config);
  const why = `this kernel, ${release}, has no struct_ops of type ${type}`;
  if (settings === undefined) return { why: `${why}: they take Linux ${since} with ${config}`, since };
  if (setting === undefined) return { why: `${why}: it was built without ${config}`, since };
  return { why: setting === 'm' ? `${why} while the module of ${config} is not loaded` : why, since };
}

function settingOf(settings: string, config: string): string | undefined {
  return new RegExp(`^${config}=([ym])$`, 'm').exec(settings)?.[1];
}
