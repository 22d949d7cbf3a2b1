// What may be given to a program that is run on data, and what comes back. Compiled, never run: every `@ts-expect-error`
// is a promise that the line below it is refused.
import type {
  AttachedXdp,
  FlowDissectorProgram,
  NetfilterProgram,
  SkLookupProgram,
  XdpProgram,
} from '@bpfskel/runtime';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is = <A, B>(_: Equal<A, B>): void => undefined;

export function runs(progs: {
  readonly steer: SkLookupProgram;
  readonly dissect: FlowDissectorProgram;
  readonly check: NetfilterProgram;
  readonly count: XdpProgram;
}): void {
  const ports = { protocol: 6, remote_port: 40000, local_port: 443 };
  const { action, cookie } = progs.steer.run({ ...ports, remote_ip4: '192.0.2.7', local_ip4: '192.0.2.1' });
  is<typeof action, 'SK_PASS' | 'SK_DROP' | undefined>(true);
  is<typeof cookie, bigint>(true);
  progs.steer.run({ ...ports, remote_ip6: '::1', local_ip6: '::1' }, { repeat: 9 });
  // @ts-expect-error both ends are of one family
  progs.steer.run({ ...ports, remote_ip4: '192.0.2.7', local_ip6: '::1' });
  // @ts-expect-error from where to where
  progs.steer.run({ ...ports, remote_ip4: '192.0.2.7' });
  // @ts-expect-error addresses are text
  progs.steer.run({ ...ports, remote_ip4: 0x7f000001, local_ip4: '127.0.0.1' });

  const packet = new Uint8Array(64);
  const { keys } = progs.dissect.run(packet, { flags: 1 });
  is<typeof keys.dport, number>(true);
  is<typeof keys.ipv4_src, string | undefined>(true);
  // @ts-expect-error it has no such hook
  progs.check.run(packet, { hook: 'ingress' });
  is<ReturnType<typeof progs.check.run>['verdict'], 'NF_DROP' | 'NF_ACCEPT' | undefined>(true);

  is<ReturnType<typeof progs.count.query>, readonly AttachedXdp[]>(true);
}
