import { BpfError, printable } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import { architectureOf, readsContext } from '../object/architecture.js';
import { BPF_PROG_TYPE } from '../uapi.js';
import type { OpenObject } from './open-object.js';

/**
 * Refuses probes that read registers where another architecture has them: they would load, and see nonsense. What an object
 * was compiled for shows in its BTF, when it does at all; libbpf does not look.
 * @throws BpfError ERR_BPF_ARCH
 */
export function refuseForeignRegisters(object: OpenObject, { arch }: Pick<Kernel, 'arch'>): void {
  const { btf, byteOrder } = object.spec;
  const probes = [...object.progs.values()].filter(
    ({ autoload, meaning }) => autoload && meaning?.rule.type === BPF_PROG_TYPE.KPROBE,
  );
  if (btf === undefined || probes.length === 0) return;
  const compiled = architectureOf(btf);
  if (compiled === undefined || compiled.arch === arch) return;
  const reader = probes.find(({ spec }) => readsContext(spec, byteOrder));
  if (reader === undefined) return;
  throw new BpfError(
    'ERR_BPF_ARCH',
    `load ${printable(object.name)}: program "${printable(reader.name)}" reads registers of ${compiled.arch} (struct ${compiled.struct}), and this is ${arch}; compile it for ${arch} too, and generate the skeleton from both: bpfskel gen --arch ${compiled.arch}=FILE --arch ${arch}=FILE`,
  );
}
