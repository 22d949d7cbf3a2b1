import { existsSync, readFileSync } from 'node:fs';
import { openObject } from '@bpfskel/runtime';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import type { LiveObject } from '../../runtime/src/loader/live-object.js';
import { CgroupProgram } from '../../runtime/src/program/index.js';
import { kindOf } from '../../runtime/src/program/kinds.js';
import { kernelVersion } from '../../runtime/src/uapi.js';
import { type Counter, loadCounter } from './counter.js';
import { kernelHas } from './facts.js';
import { TestCgroup } from './test-cgroup.js';

let cgroup: TestCgroup;
beforeAll(() => {
  cgroup = new TestCgroup();
});
afterAll(() => cgroup.close());

const { version } = linuxKernel();
const path = `"/tmp/bpfskel-${process.pid}-effects"`;
const unix = `unlink ${path};
  socket(my $a, PF_UNIX, SOCK_DGRAM, 0); bound($a, pack_sockaddr_un(${path}));
  socket(my $b, PF_UNIX, SOCK_DGRAM, 0);`;
const ttl = '/proc/sys/net/ipv4/ip_default_ttl';

describe('a program that says no', () => {
  let counter: Counter | undefined;
  afterEach(() => counter?.close());

  type Row = readonly [section: string, perl: string, how: string, since?: readonly [number, number]];
  const rows: readonly Row[] = [
    [
      'cgroup_skb/egress',
      'send(udp4(), "x", 0, in4(9)) or die "send: $!"; "ok"',
      'send: Operation not permitted',
    ],
    [
      'cgroup_skb/ingress',
      `my $s = bound(udp4(), in4(0)); send($s, "x", 0, getsockname $s);
       soon($s, 0.2) > 0 or die "nothing came"; "ok"`,
      'nothing came',
    ],
    ['cgroup/sock_create', 'udp4(); "ok"', 'socket: Operation not permitted'],
    ['cgroup/post_bind4', 'bound(udp4(), in4(0)); "ok"', 'bind: Operation not permitted'],
    ['cgroup/post_bind6', 'bound(udp6(), in6(0)); "ok"', 'bind: Operation not permitted'],
    ['cgroup/bind4', 'bound(udp4(), in4(0)); "ok"', 'bind: Operation not permitted'],
    ['cgroup/bind6', 'bound(udp6(), in6(0)); "ok"', 'bind: Operation not permitted'],
    ['cgroup/connect4', 'joined(udp4(), in4(9)); "ok"', 'connect: Operation not permitted'],
    ['cgroup/connect6', 'joined(udp6(), in6(9)); "ok"', 'connect: Operation not permitted'],
    [
      'cgroup/connect_unix',
      `${unix} joined($b, pack_sockaddr_un(${path})); "ok"`,
      'connect: Operation not permitted',
      [6, 7],
    ],
    [
      'cgroup/sendmsg4',
      'send(udp4(), "x", 0, in4(9)) or die "send: $!"; "ok"',
      'send: Operation not permitted',
    ],
    [
      'cgroup/sendmsg6',
      'send(udp6(), "x", 0, in6(9)) or die "send: $!"; "ok"',
      'send: Operation not permitted',
    ],
    [
      'cgroup/sendmsg_unix',
      `${unix} send($b, "x", 0, pack_sockaddr_un(${path})) or die "send: $!"; "ok"`,
      'send: Operation not permitted',
      [6, 7],
    ],
    ['cgroup/sysctl', 'content("/proc/sys/kernel/ostype"); "ok"', 'read: Operation not permitted'],
    [
      'cgroup/setsockopt',
      'setsockopt(udp4(), SOL_SOCKET, SO_RCVBUF, 9999) or die "set: $!"; "ok"',
      'set: Operation not permitted',
    ],
    [
      'cgroup/getsockopt',
      'getsockopt(udp4(), SOL_SOCKET, SO_RCVBUF) or die "get: $!"; "ok"',
      'get: Operation not permitted',
    ],
    ['cgroup/dev', 'open(my $f, "<", "/dev/null") or die "open: $!"; "ok"', 'open: Operation not permitted'],
    ['lsm_cgroup/socket_bind', 'bound(udp4(), in4(0)); "ok"', 'bind: Operation not permitted'],
  ];
  const has = ([section, , , [major, minor] = [0, 0]]: Row) =>
    version >= kernelVersion(major, minor) && (kernelHas.lsm || !section.startsWith('lsm_'));

  for (const row of rows) {
    const [section, perl, how] = row;
    it.runIf(has(row))(`in SEC("${section}") is obeyed, in its cgroup and until it is detached`, () => {
      counter = loadCounter(section, 0);
      const kind = kindOf(section)?.kind;
      const program = kind && new kind.program(counter.handle);
      if (!(program instanceof CgroupProgram)) throw new Error(section);
      const link = program.attach(cgroup.path);
      const told = [{ id: program.info().id, name: 'counter' }];
      expect(program.query(cgroup.path)).toMatchObject({ mode: 'multi', attached: told, effective: told });
      expect(cgroup.agent.tell(perl)).toBe(`died ${how}`);
      link.detach();
      expect(cgroup.agent.tell(perl)).toBe('ok');
    });
  }
});

describe('a program that changes what it sees', () => {
  const object = new URL('../testdata/sockets.o', import.meta.url).pathname;
  const [asked, given] = [11_111, 22_222];
  let live: LiveObject;
  beforeAll(() => {
    const open = openObject(object);
    const rodata = open.data.get('.rodata');
    if (rodata === undefined) throw new Error('no .rodata');
    new DataView(rodata.buffer, rodata.byteOffset).setUint16(0, asked, true);
    new DataView(rodata.buffer, rodata.byteOffset).setUint16(2, given, true);
    live = open.load();
  });
  afterEach(() => live.detach());
  afterAll(() => live.destroy());

  const attach = (...names: readonly string[]) => {
    for (const name of names) {
      const program = live.progs.get(name);
      if (!(program instanceof CgroupProgram)) throw new Error(name);
      program.attach(cgroup.path);
    }
  };
  const tell = (perl: string) => cgroup.agent.do(perl);

  it('binds to another port, and hides it', () => {
    attach('bind4');
    expect(tell(`show4(getsockname(bound(udp4(), in4(${asked}))))`)).toBe(`127.0.0.1:${given}`);
    attach('getsockname4');
    expect(tell(`show4(getsockname(bound(udp4(), in4(${asked}))))`)).toBe(`127.0.0.1:${asked}`);
  });

  it('connects to another port, and hides it', () => {
    attach('connect4');
    const connect = `my $l = heard(bound(tcp4(), in4(${given}))); my $c = joined(tcp4(), in4(${asked}));
      show4(getpeername $c)`;
    expect(tell(connect)).toBe(`127.0.0.1:${given}`);
    attach('getpeername4');
    expect(tell(connect)).toBe(`127.0.0.1:${asked}`);
  });

  it('sends to another port, and receives as if from the one that was meant', () => {
    const ask = `my $server = bound(udp4(), in4(${given})); my $s = udp4(); send($s, "x", 0, in4(${asked}));
      soon($server) or die "nothing came"; my $from = recv($server, my $d, 9, 0); send($server, "y", 0, $from);
      soon($s) or die "no answer"; show4(recv($s, $d, 9, 0)), $d`;
    expect(cgroup.agent.tell(ask)).toBe('died nothing came');
    attach('sendmsg4');
    expect(tell(ask)).toBe(`127.0.0.1:${given} y`);
    attach('recvmsg4');
    expect(tell(ask)).toBe(`127.0.0.1:${asked} y`);
  });

  it('lets sysctls be read and not written', () => {
    const value = readFileSync(ttl, 'utf8').trim();
    attach('read_only');
    expect(tell(`content("${ttl}")`)).toBe(value);
    expect(cgroup.agent.tell(`fill("${ttl}", ${value})`)).toBe('died write: Operation not permitted');
    live.detach();
    expect(tell(`fill("${ttl}", ${value})`)).toBe('ok');
  });

  it.runIf(existsSync('/dev/zero'))('forbids one device', () => {
    const open = (name: string) => cgroup.agent.tell(`open(my $f, "<", "/dev/${name}") or die "$!"; "ok"`);
    attach('no_zero');
    expect([open('zero'), open('null')]).toEqual(['died Operation not permitted', 'ok']);
  });

  it('has a socket option of its own', () => {
    const use =
      'my $s = udp4(); setsockopt($s, 0x1234, 1, "A") or die "set: $!"; getsockopt($s, 0x1234, 1) or die "get: $!"';
    expect(cgroup.agent.tell(use)).toMatch(/^died set: /);
    attach('set_custom');
    expect(cgroup.agent.tell(use)).toMatch(/^died get: /);
    attach('get_custom');
    expect(tell(use)).toBe('A');
  });

  it('sees connections being made and taken', () => {
    attach('established');
    tell(
      'my $l = heard(bound(tcp4(), in4(0))); joined(tcp4(), getsockname $l); joined(tcp4(), getsockname $l); 1',
    );
    const state = live.data.get('.bss')?.view();
    expect([state?.getUint32(0, true), state?.getUint32(4, true)]).toEqual([2, 2]);
  });
});
