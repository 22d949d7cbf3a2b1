import { afterAll, beforeAll } from 'vitest';
import { syscallError } from '../../runtime/src/kernel/errno.js';
import type { Kernel } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { type CgroupProgram, CgroupSkbProgram } from '../../runtime/src/program/index.js';
import { kindOf } from '../../runtime/src/program/kinds.js';
import { kernelVersion } from '../../runtime/src/uapi.js';
import { type Counter, loadCounter } from './counter.js';
import { kernelHas } from './facts.js';
import { type LinkCase, linkContract } from './link-contract.js';
import { TestCgroup } from './test-cgroup.js';

let cgroup: TestCgroup;
beforeAll(() => {
  cgroup = new TestCgroup();
});
afterAll(() => cgroup.close());

/** A kernel before 5.7, without links of cgroups. */
const withoutLinks: Partial<Kernel> = {
  linkCreate: () => {
    throw syscallError('bpf(BPF_LINK_CREATE)', 22);
  },
};

function programOf({ handle }: Counter): CgroupProgram {
  const kind = kindOf(handle.section)?.kind;
  if (kind === undefined) throw new Error(handle.section);
  return new kind.program(handle) as CgroupProgram; // only sections of cgroups are asked for
}

const path = (name: string) => `"/tmp/bpfskel-${process.pid}-${name}"`;
/** Two Unix sockets that know each other. */
const unix = `
  unlink ${path('a')}, ${path('b')};
  socket(my $a, PF_UNIX, SOCK_DGRAM, 0); bound($a, pack_sockaddr_un(${path('a')}));
  socket(my $b, PF_UNIX, SOCK_DGRAM, 0); bound($b, pack_sockaddr_un(${path('b')}));`;

/** What makes each program run, in the words of a process of the cgroup. */
const triggers: readonly (readonly [section: string, perl: string, since?: readonly [number, number]])[] = [
  ['cgroup_skb/ingress', 'my $s = bound(udp4(), in4(0)); send($s, "x", 0, getsockname $s); soon($s)'],
  ['cgroup_skb/egress', 'send(udp4(), "x", 0, in4(9))'],
  ['cgroup/skb', 'my $s = bound(udp4(), in4(0)); send($s, "x", 0, getsockname $s); soon($s)'],
  ['cgroup/sock_create', 'udp4(); 1'],
  ['cgroup/sock', 'udp4(); 1'],
  ['cgroup/sock_release', 'close(udp4())'],
  ['cgroup/post_bind4', 'bound(udp4(), in4(0)); 1'],
  ['cgroup/post_bind6', 'bound(udp6(), in6(0)); 1'],
  ['cgroup/bind4', 'bound(udp4(), in4(0)); 1'],
  ['cgroup/bind6', 'bound(udp6(), in6(0)); 1'],
  ['cgroup/connect4', 'joined(udp4(), in4(9)); 1'],
  ['cgroup/connect6', 'joined(udp6(), in6(9)); 1'],
  ['cgroup/connect_unix', `${unix} joined($a, pack_sockaddr_un(${path('b')})); 1`, [6, 7]],
  ['cgroup/sendmsg4', 'send(udp4(), "x", 0, in4(9))'],
  ['cgroup/sendmsg6', 'send(udp6(), "x", 0, in6(9))'],
  ['cgroup/sendmsg_unix', `${unix} send($a, "x", 0, pack_sockaddr_un(${path('b')}))`, [6, 7]],
  [
    'cgroup/recvmsg4',
    'my $s = bound(udp4(), in4(0)); send($s, "x", 0, getsockname $s); soon($s); recv($s, my $d, 9, 0); 1',
  ],
  [
    'cgroup/recvmsg6',
    'my $s = bound(udp6(), in6(0)); send($s, "x", 0, getsockname $s); soon($s); recv($s, my $d, 9, 0); 1',
  ],
  [
    'cgroup/recvmsg_unix',
    `${unix} send($a, "x", 0, pack_sockaddr_un(${path('b')})); recv($b, my $d, 9, 0); 1`,
    [6, 7],
  ],
  ['cgroup/getpeername4', 'getpeername(joined(udp4(), in4(9))); 1'],
  ['cgroup/getpeername6', 'getpeername(joined(udp6(), in6(9))); 1'],
  [
    'cgroup/getpeername_unix',
    `${unix} connect($a, pack_sockaddr_un(${path('b')})); getpeername($a); 1`,
    [6, 7],
  ],
  ['cgroup/getsockname4', 'getsockname(bound(udp4(), in4(0))); 1'],
  ['cgroup/getsockname6', 'getsockname(bound(udp6(), in6(0))); 1'],
  ['cgroup/getsockname_unix', `${unix} getsockname($a); 1`, [6, 7]],
  ['cgroup/sysctl', 'content("/proc/sys/kernel/ostype")'],
  ['cgroup/getsockopt', 'getsockopt(udp4(), SOL_SOCKET, SO_RCVBUF); 1'],
  ['cgroup/setsockopt', 'setsockopt(udp4(), SOL_SOCKET, SO_RCVBUF, 9999)'],
  ['cgroup/dev', 'open(my $f, "<", "/dev/null")'],
  ['sockops', 'my $l = heard(bound(tcp4(), in4(0))); joined(tcp4(), getsockname $l); 1'],
  ['lsm_cgroup/socket_bind', 'bind(udp4(), in4(0)); 1'],
];

const { version } = linuxKernel();
const has = (section: string, [major, minor]: readonly [number, number] = [0, 0]) =>
  version >= kernelVersion(major, minor) && (kernelHas.lsm || !section.startsWith('lsm_'));

const contract = (
  how: string,
  section: string,
  perl: string,
  more: Partial<LinkCase>,
  over: Partial<Kernel> = {},
) =>
  linkContract({
    name: `SEC("${section}")${how}`,
    load: () => loadCounter(section, 1, over),
    attach: (counter) => programOf(counter).attach(cgroup.path),
    trigger: () => void cgroup.agent.do(perl),
    twice: 'runs',
    ...more,
  });

const seen = new Set<unknown>();
for (const [section, perl, since] of triggers) {
  // One section of a kind does where time is short.
  const kind = kindOf(section)?.kind;
  const enough = !kernelHas.patience && seen.has(kind);
  seen.add(kind);
  contract('', section, perl, { when: has(section, since) && !enough });
}

contract(
  ' by BPF_PROG_ATTACH',
  'cgroup/connect4',
  'joined(udp4(), in4(9)); 1',
  { twice: /attached there already/, pins: false },
  withoutLinks,
);
for (const mode of ['override', 'single'] as const) {
  contract(` in mode ${mode}`, 'cgroup/connect4', 'joined(udp4(), in4(9)); 1', {
    pins: false,
    attach: (counter) => programOf(counter).attach(cgroup.path, { mode }),
    twice: new RegExp(`the cgroup already has program "counter" id \\d+, in mode ${mode}`),
  });
}
contract(' on packets that go out', 'cgroup/skb', 'send(udp4(), "x", 0, in4(9))', {
  attach: ({ handle }) => new CgroupSkbProgram(handle).attach(cgroup.path, { direction: 'egress' }),
});
