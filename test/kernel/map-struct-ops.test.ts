import { readFileSync } from 'node:fs';
import { openObject } from '@bpfskel/runtime';
import { expect } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { type StructOpsMap, structOps } from '../../runtime/src/map/struct-ops.js';
import { kernelVersion } from '../../runtime/src/uapi.js';
import type { LiveMap } from '../unit/live-map.js';
import { loadCounter } from './counter.js';
import { kernelTypes } from './kernel-types.js';
import { mapContract } from './map-contract.js';

const kernel = linuxKernel();
const there = kernelTypes().vmlinux.find('bpf_struct_ops_tcp_congestion_ops', 'struct') !== undefined;
const registered = (name: string) =>
  readFileSync('/proc/sys/net/ipv4/tcp_available_congestion_control', 'utf8')
    .trim()
    .split(' ')
    .includes(name);

/** A TCP congestion control of which nothing else makes the programs. */
function make(name: string): LiveMap<StructOpsMap> {
  const object = openObject('test/golden/struct_ops/in.bpf.o');
  for (const map of object.maps.values()) map.autocreate = map.name === name;
  const live = object.load();
  const map = live.maps.get(name) as StructOpsMap | undefined;
  if (map === undefined) return expect.fail(`no map ${name}`);
  const { type, keySize, valueSize, maxEntries, flags } = map.info();
  const handle = {
    kernel,
    name,
    type,
    keySize,
    valueSize,
    maxEntries,
    flags,
    fd: () => map.fd,
    onClose: () => undefined,
  };
  return { map, fd: map.fd, handle, detach: () => live.detach(), destroy: () => live.destroy() };
}

for (const { name, congestion, written, when } of [
  { name: 'calm', congestion: 'bpfskel_calm', written: 'ready', when: kernel.version >= kernelVersion(6, 4) },
  { name: 'by_value', congestion: 'bpfskel_old', written: 'inuse', when: true },
]) {
  mapContract<StructOpsMap>({
    type: 'STRUCT_OPS',
    variant: `that is ${written === 'ready' ? 'linked' : 'registered by its value'}`,
    when: there && when,
    name,
    shape: structOps(),
    attributes: {},
    make: () => make(name),
    put: (map) => map.attach(),
    see: (map) => [map.state, registered(congestion)],
    shown: [written, true],
    refuse: (map) => map.freeze(),
    refusal: new RegExp(`^freeze map "${name}": .*\\(ENOTSUPP\\)$`),
    more: {
      'is associated with a program, or says which kernel does that': (map) => {
        const other = loadCounter('syscall');
        const program = { name: 'counter', fd: other.handle.fd() };
        if (kernel.version >= kernelVersion(7, 0)) expect(map.associate(program)).toBe(map);
        else
          expect(() => map.associate(program)).toThrow(
            `associate map "${name}" with program "counter": programs are associated with struct_ops since Linux 7.0, and this is ${kernel.release} (EINVAL)`,
          );
        other.close();
      },
      'is registered no longer than its link': (map) => {
        expect(map.state).toBe('init');
        {
          using _link = map.attach();
          expect([map.state, registered(congestion)]).toEqual([written, true]);
        }
        expect(registered(congestion)).toBe(false);
      },
    },
  });
}
