// What an application does with skeletons, without privileges: bundled by every tool, it prints the same.
import { isBpfError } from '@bpfskel/runtime';
import { fakeKernel } from '@bpfskel/runtime/testing';
import { execsnoop_kern } from '../../examples/execsnoop/execsnoop.skel.ts';
import { Traffic, xdp_kern } from '../../examples/xdp/xdp.skel.ts';

const skel = xdp_kern.open({ kernel: fakeKernel() }).load();
skel.maps.by_protocol.set(
  6,
  (skel.maps.by_protocol.get(6) ?? []).map(() => ({ packets: 7n, bytes: 9n })),
);
console.log(skel.maps.by_protocol.get(6)?.[0], Traffic.size);
skel.destroy();

// Calling the kernel needs koffi, which stays outside of the bundle. No kernel creates a map without entries.
const open = execsnoop_kern.open();
open.maps.events.maxEntries = 0;
try {
  open.load().destroy();
} catch (error) {
  if (!isBpfError(error) || error.syscall === undefined) throw error;
  console.log('the kernel was asked');
}
