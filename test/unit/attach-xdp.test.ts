import { describe, expect, it } from 'vitest';
import { ERRNO, syscallError } from '../../runtime/src/kernel/errno.js';
import type { XdpQuery } from '../../runtime/src/kernel/kernel.js';
import { SocketFilterProgram, XdpProgram } from '../../runtime/src/program/index.js';
import { XDP_FLAGS_REPLACE } from '../../runtime/src/uapi.js';
import { fakeHost, handleFor } from './fake-host.js';

type Host = ReturnType<typeof fakeHost>;
const xdp = (host: Host, fd = 9) => new XdpProgram(handleFor(host, { name: 'count', section: 'xdp', fd }));

describe('attaching an XDP program', () => {
  const modes = [
    [undefined, 0, 'xdp eth0'],
    ['generic', 2, 'xdp eth0 (generic)'],
    ['native', 4, 'xdp eth0 (native)'],
    ['offload', 8, 'xdp eth0 (offload)'],
  ] as const;
  it.each(modes)('makes a bpf_link in mode %s', (mode, flags, target) => {
    const host = fakeHost();
    const link = xdp(host).attach('eth0', mode === undefined ? {} : { mode });
    expect(host.calls).toEqual([
      `linkCreate({"prog":9,"attachType":37,"target":{"ifindex":2},"flags":${flags}})`,
    ]);
    expect(link.target).toBe(target);
    link.detach();
    link.detach();
    expect(host.open.size).toBe(0);
  });

  it('takes a device by index', () => {
    const host = fakeHost();
    expect(xdp(host).attach(2).target).toBe('xdp eth0');
  });

  const devices = (...names: string[]) =>
    `Inter-|   Receive\n face |bytes\n${names.map((name) => `${name.padStart(6)}: 0 0\n`).join('')}`;

  it.each([
    ['etho', 'called etho (ENODEV). Did you mean eth0? This network namespace has lo, eth0'],
    [77, 'with index 77. This network namespace has lo, eth0'],
  ])('names the devices instead of %s', (device, text) => {
    const host = fakeHost();
    host.file('/proc/self/net/dev', devices('lo', 'eth0'));
    expect(() => xdp(host).attach(device)).toThrow(`there is no network device ${text}`);
  });

  it('names a dozen of many devices', () => {
    const host = fakeHost();
    host.file('/proc/self/net/dev', devices(...Array.from({ length: 300 }, (_, index) => `veth${index}`)));
    expect(() => xdp(host).attach('wlan0')).toThrow(/veth10, veth11, and 288 more$/);
  });

  it('falls back to rtnetlink, never over another program, and clears only its own', () => {
    const host = fakeHost();
    host.refuse('linkCreate', 'EINVAL');
    const link = xdp(host).attach('eth0', { mode: 'generic' });
    expect(host.calls[1]).toBe('xdpSet(2, 9, 3, undefined)');
    expect(() => link.pin('/x')).toThrow(/without a bpf_link/);
    link.detach();
    expect(host.calls[2]).toBe('xdpSet(2, -1, 18, 9)');
  });

  it('replaces any program, or exactly one', () => {
    const host = fakeHost();
    const before = xdp(host, 8);
    xdp(host).attach('eth0', { replace: true });
    xdp(host).attach('eth0', { replace: before, mode: 'native' });
    expect(host.calls).toEqual(['xdpSet(2, 9, 0, undefined)', 'xdpSet(2, 9, 20, 8)']);
  });

  it('exchanges the program of a link', () => {
    const host = fakeHost();
    const link = xdp(host).attach('eth0');
    link.update(xdp(host, 8));
    expect(host.calls[1]).toBe('linkUpdate(11, 8)');
    link.detach();
    expect(() => link.update(xdp(host, 8))).toThrow('update link of "count": it is detached');
  });

  it('exchanges it only while the one expected runs, and is called after the new one', () => {
    const host = fakeHost({
      linkInfo: () => ({ type: 'xdp', id: 3, progId: 7, ifindex: 2 }),
    });
    const link = xdp(host).attach('eth0');
    link.update({ fd: 8, name: 'count_v2' }, { expected: xdp(host) });
    expect(host.calls[1]).toBe('linkUpdate(11, 8, 9)');
    expect(link.program).toBe('count_v2');
    host.refuse('linkUpdate', 'EPERM');
    expect(() => link.update(xdp(host, 8), { expected: xdp(host) })).toThrow(
      'update link of "count_v2" to "count": the program there is "other" id 7, and not the one expected (EPERM)',
    );
    expect(link.program).toBe('count_v2');
  });

  it.each([
    [
      'EINVAL',
      'the kernel takes a program of the same type and attach type as the one that runs there (EINVAL)',
    ],
    ['ENOLINK', 'what it was attached to is gone, or the link was detached by force (ENOLINK)'],
    ['EEXIST', 'the program is attached there already'],
    ['ENOMEM', 'linkUpdate: '],
  ] as const)('says why it is not exchanged: %s', (errno, text) => {
    const host = fakeHost();
    const link = xdp(host).attach('eth0');
    host.refuse('linkUpdate', errno);
    expect(() => link.update({ fd: 8 })).toThrow(`update link of "count": ${text}`);
  });

  it('exchanges the program that rtnetlink set, and clears the new one', () => {
    const host = fakeHost();
    const link = xdp(host).attach('eth0', { replace: true });
    link.update(xdp(host, 8));
    link.detach();
    expect(host.calls.slice(1)).toEqual([
      'duplicate(8)',
      'xdpSet(2, 11, 16, 9)',
      'xdpSet(2, -1, 16, 11)',
      'close(11)',
    ]);
  });

  it.each(['ENODEV', 'EEXIST'] as const)('detaches in peace when clearing says %s: it is gone', (errno) => {
    const host = fakeHost();
    const link = xdp(host).attach('eth0', { replace: true });
    host.refuse('xdpSet', errno);
    expect(() => link.detach()).not.toThrow();
    expect(link.attached).toBe(false);
  });

  it.each([
    ['clears it', 'own', 7, ['xdpSet(2, -1, 16, 9)', 'xdpSet(2, -1, 0)']],
    ['leaves it', 'foreign', 8, ['xdpSet(2, -1, 16, 9)']],
  ])('before 5.7 %s when the device runs its %s program', (_does, _whose, native, expected) => {
    const host = fakeHost({
      xdpQuery: () => ({ mode: 'native', native, generic: 0, offload: 0 }) satisfies XdpQuery,
      xdpSet: (_ifindex, _prog, flags) => {
        if (flags & XDP_FLAGS_REPLACE) throw syscallError('netlink', ERRNO.EINVAL);
      },
    });
    const link = xdp(host).attach('eth0', { replace: true });
    host.calls.length = 0;
    link.detach();
    expect(host.calls).toEqual(expected);
  });

  const taken = (over: Partial<XdpQuery>) => {
    const host = fakeHost({
      xdpQuery: () => ({ mode: 'native', native: 0, generic: 0, offload: 0, ...over }),
    });
    host.refuse('linkCreate', 'EBUSY');
    return host;
  };

  it('names the program in the way', () => {
    const host = taken({ native: 17 });
    expect(() => xdp(host).attach('eth0')).toThrow(
      'attach "count" to xdp eth0: eth0 already runs XDP program "other" id 17 (native) (EBUSY). Detach it',
    );
    expect(host.open.size).toBe(0);
  });

  it('tells every program of a device, by mode, without a name where it cannot be opened', () => {
    const host = taken({ native: 17, offload: 18 });
    expect(xdp(host).query('eth0')).toEqual([
      { mode: 'native', id: 17, name: 'other' },
      { mode: 'offload', id: 18, name: 'other' },
    ]);
    host.refuse('progById', 'EPERM');
    expect(xdp(host).query(2)[0]).toEqual({ mode: 'native', id: 17, name: '' });
    host.refuse('xdpQuery', 'ENODEV');
    expect(() => xdp(host).query('eth0')).toThrow(
      'query the XDP programs of eth0: the device is gone (ENODEV)',
    );
  });

  it('names it by id when it cannot be opened', () => {
    const host = taken({ generic: 18 });
    host.refuse('progById', 'EPERM');
    expect(() => xdp(host).attach('eth0')).toThrow('XDP program id 18 (generic)');
  });

  it('says what the kernel said when nothing is in the way', () => {
    expect(() => xdp(taken({})).attach('eth0')).toThrow('device or resource busy (EBUSY)');
  });

  it.each([
    ['native', "driver does not run XDP programs natively (EOPNOTSUPP). Use { mode: 'generic' }"],
    ['offload', "driver does not offload XDP programs (EOPNOTSUPP). Use { mode: 'generic' }"],
    ['generic', 'operation not supported (EOPNOTSUPP)'],
  ] as const)('explains a driver without %s mode', (mode, text) => {
    const host = fakeHost();
    host.refuse('linkCreate', 'EOPNOTSUPP');
    expect(() => xdp(host).attach('eth0', { mode })).toThrow(text);
  });

  it('names the missing capability', () => {
    const host = fakeHost();
    host.file('/proc/self/status', 'CapEff:\t0000008000000000\n');
    host.refuse('linkCreate', 'EPERM');
    expect(() => xdp(host).attach('eth0')).toThrow('this process lacks CAP_NET_ADMIN (EPERM)');
  });
});

describe('attaching a socket filter', () => {
  const filter = (host: Host) => new SocketFilterProgram(handleFor(host, { section: 'socket' }));

  it('makes a packet socket of its own and closes it', () => {
    const host = fakeHost();
    const link = filter(host).attach('lo');
    expect(host.calls).toEqual(['packetSocket(1)', 'socketAttach(11, 9)']);
    expect(link.target).toBe('socket filter on lo');
    link.detach();
    link.detach();
    expect(host.open.size).toBe(0);
  });

  it('closes the socket that does not take the program', () => {
    const host = fakeHost();
    host.refuse('socketAttach', 'EINVAL');
    expect(() => filter(host).attach('lo')).toThrow('attach "prog" to socket filter on lo');
    expect(host.open.size).toBe(0);
  });

  it('names the missing capability', () => {
    const host = fakeHost();
    host.file('/proc/self/status', 'CapEff:\t0\n');
    host.refuse('packetSocket', 'EPERM');
    expect(() => filter(host).attach('lo')).toThrow('this process lacks CAP_NET_RAW');
  });

  it("leaves the caller's socket open", () => {
    const host = fakeHost();
    const link = filter(host).attachTo(55);
    link.detach();
    expect(host.calls).toEqual(['socketAttach(55, 9)', 'socketDetach(55)']);
  });

  it('knows no unknown device', () => {
    expect(() => filter(fakeHost()).attach('etho')).toThrow('there is no network device called etho');
  });
});
