import { describe, expect, it } from 'vitest';
import { BpfError, NotSupportedError } from '../../runtime/src/errors.js';
import { ERRNO, syscallError } from '../../runtime/src/kernel/errno.js';
import type { Kernel } from '../../runtime/src/kernel/kernel.js';
import { KprobeProgram, KretprobeProgram } from '../../runtime/src/program/index.js';
import { type FakeHost, fakeHost, handleFor } from './fake-host.js';

const pmu = '/sys/bus/event_source/devices/kprobe';

function hostWithPmu(): FakeHost {
  const host = fakeHost();
  host.file(`${pmu}/type`, '8\n');
  host.file(`${pmu}/format/retprobe`, 'config:0\n');
  host.file('/sys/kernel/tracing/events/enable', '0');
  return host;
}

/** A kernel before 4.17: kprobes only through tracefs, whose id appears for any probe. */
function hostWithTracefs(): FakeHost {
  const events = new Map<string, number>();
  const host: FakeHost = fakeHost({
    writeFile: (_path, text) => {
      const [, sign, name] = /^(p|r|-):bpfskel\/(\S+)/.exec(text) ?? [];
      if (name === undefined) return;
      if (sign === '-') events.delete(name);
      else events.set(name, 1700 + events.size);
    },
    readFile: (path) => {
      const name = /events\/bpfskel\/(\S+)\/id$/.exec(path)?.[1];
      if (path === '/sys/kernel/tracing/kprobe_events') return new Uint8Array();
      if (name === undefined) return undefined;
      return new TextEncoder().encode(`${events.get(name)}\n`);
    },
  });
  host.file('/sys/kernel/tracing/events/enable', '0');
  return host;
}

const at = (host: FakeHost, section = 'kprobe/do_unlinkat') =>
  new KprobeProgram(handleFor(host, { name: 'trace', section }));

describe('attaching a kprobe', () => {
  it('opens the kprobe PMU on CPU 0 and puts a perf link on it', () => {
    const host = hostWithPmu();
    const link = at(host).attach();
    expect(host.calls).toEqual([
      'perfEventOpen({"type":8,"config":"0n","target":"do_unlinkat","config2":"0n","pid":-1,"cpu":0})',
      'linkCreate({"prog":9,"attachType":41,"target":{"fd":11},"options":{"kind":"perf_event","cookie":"0n"}})',
      'perfEventEnable(11)',
    ]);
    expect(link.target).toBe('kprobe do_unlinkat');
  });

  const sections: [section: string, symbol: string, offset: string][] = [
    ['kprobe/foo+0x10', 'foo', '16n'],
    ['kprobe/foo+16', 'foo', '16n'],
    ['kprobe/foo+010', 'foo', '8n'],
    ['kprobe/finish_task_switch.isra.0', 'finish_task_switch.isra.0', '0n'],
  ];
  it.each(sections)('takes SEC("%s") as %s at %s', (section, symbol, offset) => {
    const host = hostWithPmu();
    at(host, section).attach();
    expect(host.calls[0]).toContain(`"target":"${symbol}","config2":"${offset}"`);
  });

  it.each(['kprobe/', 'kprobe', 'kprobe/a b', 'kprobe/foo+-1', 'kprobe/foo:bar'])(
    'asks for a function when the section is %s',
    (section) => {
      const host = hostWithPmu();
      expect(() => at(host, section).attach()).toThrow(/SEC\(\) (names no function|must name a function)/);
      expect(host.calls).toEqual([]);
    },
  );

  it('takes symbol, offset and cookie from the call', () => {
    const host = hostWithPmu();
    at(host).attach('tcp_v4_connect', { offset: 4, cookie: 5n });
    expect(host.calls[0]).toContain('"target":"tcp_v4_connect","config2":"4n"');
    expect(host.calls[1]).toContain('"cookie":"5n"');
  });

  it('takes an address, which the PMU reads from config2', () => {
    const host = hostWithPmu();
    const link = at(host).attach(0xffffffff81000000n, { offset: 4 });
    expect(host.calls[0]).toBe(
      `perfEventOpen({"type":8,"config":"0n","config2":"${0xffffffff81000004n}n","pid":-1,"cpu":0})`,
    );
    expect(link.target).toBe('kprobe 0xffffffff81000000+0x4');
  });

  it('takes the first of several names that the kernel can probe', () => {
    const host = hostWithPmu();
    const absent = ['a', 'a.isra.0'];
    const kernel: Kernel = {
      ...host.kernel,
      readFile: host.kernel.readFile,
      listDirectory: host.kernel.listDirectory,
      close: host.kernel.close,
      linkCreate: host.kernel.linkCreate,
      perfEventEnable: host.kernel.perfEventEnable,
      perfEventOpen: (event) => {
        if (absent.includes(event.target ?? '')) throw syscallError('perf_event_open', ERRNO.ENOENT);
        return host.kernel.perfEventOpen(event);
      },
    };
    const program = new KprobeProgram({ ...handleFor(host), kernel });
    const link = program.attach(['a', 'a.isra.0', 'a.constprop.0', 'b']);
    expect(link.target).toBe('kprobe a.constprop.0');
    expect(host.calls.filter((call) => call.startsWith('perfEventOpen'))).toHaveLength(1);
  });

  it('makes a new owned link every time, and releases each once', () => {
    const host = hostWithPmu();
    const handle = handleFor(host, { section: 'kprobe/a' });
    const program = new KprobeProgram(handle);
    const [one, two] = [program.attach(), program.attach('b')];
    expect(handle.owned).toEqual([one, two]);
    one.detach();
    one[Symbol.dispose]();
    expect(one.attached).toBe(false);
    expect(two.attached).toBe(true);
    expect(host.open.size).toBe(2);
    two.detach();
    expect(host.open.size).toBe(0);
  });

  it('uses the bit the kernel names for return probes', () => {
    const host = hostWithPmu();
    host.file(`${pmu}/format/retprobe`, 'config:3\n');
    const program = new KretprobeProgram(handleFor(host, { section: 'kretprobe/foo' }));
    expect(program.attach().target).toBe('kretprobe foo');
    expect(host.calls[0]).toContain('"config":"8n"');
  });

  it('refuses an offset on a return probe', () => {
    const program = new KretprobeProgram(handleFor(hostWithPmu(), { section: 'kretprobe/foo+4' }));
    expect(() => program.attach()).toThrow(/a kretprobe has no offset/);
  });

  it('falls back to ioctl where perf links are unknown, without a bpf_link to pin', () => {
    const host = hostWithPmu();
    host.refuse('linkCreate', 'EINVAL');
    const link = at(host).attach();
    expect(host.calls.slice(2)).toEqual(['perfEventSetBpf(11, 9)', 'perfEventEnable(11)']);
    expect(() => link.pin('/sys/fs/bpf/x')).toThrow(NotSupportedError);
    link.detach();
    expect(host.calls.slice(4)).toEqual(['perfEventDisable(11)', 'close(11)']);
  });

  it('says that a cookie needs Linux 5.15 rather than drop it', () => {
    const host = hostWithPmu();
    host.refuse('linkCreate', 'EINVAL');
    expect(() => at(host).attach('foo', { cookie: 1n })).toThrow(
      'attach "trace" to kprobe foo: the kernel refused a cookie; it takes one since Linux 5.15',
    );
    expect(host.open.size).toBe(0);
  });

  it.each(['linkCreate', 'perfEventEnable'] as const)('leaks nothing when %s fails', (method) => {
    const host = hostWithPmu();
    host.refuse(method, 'EACCES');
    expect(() => at(host).attach()).toThrow(BpfError);
    expect(host.open.size).toBe(0);
  });
});

describe('attaching a kprobe through tracefs', () => {
  it('cannot take an address', () => {
    expect(() => at(hostWithTracefs()).attach(0xffffffff81000000n)).toThrow(
      'a probe by address needs the kprobe PMU (Linux 4.17), which this kernel, 6.12.0-test, lacks',
    );
  });

  it('defines a probe, opens its id, and removes it after the event is closed', () => {
    const host = hostWithTracefs();
    const link = at(host, 'kprobe/foo+4').attach();
    const [define, open] = host.calls;
    expect(define).toMatch(
      /^writeFile\("\/sys\/kernel\/tracing\/kprobe_events", "p:bpfskel\/\w+_foo foo\+0x4", true\)$/,
    );
    expect(open).toBe('perfEventOpen({"type":2,"config":"1700n","pid":-1,"cpu":0})');
    link.detach();
    expect(host.calls.slice(-2)).toEqual([
      'close(11)',
      expect.stringMatching(
        /^writeFile\("\/sys\/kernel\/tracing\/kprobe_events", "-:bpfskel\/\w+_foo", true\)$/,
      ),
    ]);
    expect(host.open.size).toBe(0);
  });

  it('gives every probe another name, cut to what the kernel takes', () => {
    const host = hostWithTracefs();
    const names = [1, 2].map(() => {
      at(host, `kprobe/${'long_'.repeat(20)}`).attach();
      return (
        /bpfskel\/(\S+)/.exec(host.calls.findLast((call) => call.startsWith('writeFile')) ?? '')?.[1] ?? ''
      );
    });
    expect(new Set(names).size).toBe(2);
    for (const name of names) expect(name.length).toBeLessThanOrEqual(63);
  });

  it('removes the probe when the event does not open', () => {
    const host = hostWithTracefs();
    host.refuse('perfEventOpen', 'EMFILE');
    expect(() => at(host).attach()).toThrow(BpfError);
    expect(host.calls.at(-1)).toContain('"-:bpfskel/');
  });
});

describe('a kprobe that cannot be attached', () => {
  const symbols = [
    'ffffffff81000000 T do_unlinkat',
    'ffffffff81000100 t finish_task_switch.isra.0',
    'ffffffff81000200 t same_name',
    'ffffffff81000300 t same_name',
    'ffffffff81000400 T notrace_function',
    'ffffffff81000500 T blacklisted',
    'ffffffff81000600 t xfs_open\t[xfs]',
    'ffffffff81000700 d do_data',
  ].join('\n');
  const refused = (errno: 'ENOENT' | 'EINVAL' | 'EACCES' | 'EADDRNOTAVAIL' | 'EILSEQ' | 'EMFILE') => {
    const host = hostWithPmu();
    host.refuse('perfEventOpen', errno);
    host.file('/proc/kallsyms', `${symbols}\n`);
    host.file('/sys/kernel/tracing/available_filter_functions', 'do_unlinkat\nxfs_open [xfs]\nblacklisted\n');
    host.file('/sys/kernel/debug/kprobes/blacklist', '0xffff-0xffff\tblacklisted\n');
    return host;
  };

  const cases: [string, Parameters<typeof refused>[0], string][] = [
    [
      'do_unlinkatt',
      'ENOENT',
      'no function do_unlinkatt: it may be inlined, renamed, or in a module that is not loaded (ENOENT). Similar names: do_unlinkat',
    ],
    ['do_data', 'ENOENT', 'no function do_data'],
    [
      'finish_task_switch',
      'ENOENT',
      'left no function finish_task_switch in this kernel, only finish_task_switch.isra.0',
    ],
    ['same_name', 'EADDRNOTAVAIL', '2 functions called same_name'],
    ['notrace_function', 'EINVAL', 'notrace_function is in the kernel, but not traceable'],
    ['blacklisted', 'EINVAL', "blacklisted is on the kernel's kprobe blacklist"],
    ['nfsd:nfsd_open', 'ENOENT', 'module nfsd is not loaded (ENOENT). Load it: modprobe nfsd'],
    ['do_unlinkat', 'EMFILE', 'too many open files'],
  ];
  it.each(cases)('explains %s (%s)', (symbol, errno, text) => {
    const attach = () => at(refused(errno)).attach(symbol);
    expect(attach).toThrow(`attach "trace" to kprobe ${symbol}: `);
    expect(attach).toThrow(text);
  });

  it('says how to see the blacklist when nothing else explains it', () => {
    const host = hostWithPmu();
    host.refuse('perfEventOpen', 'EINVAL');
    host.file('/proc/kallsyms', `${symbols}\n`);
    host.file('/sys/kernel/tracing/available_filter_functions', 'do_unlinkat\n');
    expect(() => at(host).attach('do_unlinkat')).toThrow(
      'this kernel has the function do_unlinkat, and refuses to probe it (EINVAL). Mount debugfs to see whether',
    );
  });

  it('finds functions of modules by their bare name in the lists', () => {
    expect(() => at(refused('EINVAL')).attach('xfs:xfs_open')).toThrow('perfEventOpen: invalid argument');
  });

  it('keeps errno, code, system call and cause of what the kernel said', () => {
    try {
      at(refused('ENOENT')).attach('gone');
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOENT', errno: 2, syscall: 'perfEventOpen' });
      expect(error).toHaveProperty('cause.code', 'ENOENT');
    }
  });

  it('says of every name of a list why not', () => {
    expect(() => at(refused('ENOENT')).attach(['gone', 'finish_task_switch'])).toThrow(
      'attach "trace" to kprobe gone or finish_task_switch: none of them can be probed: this kernel has no function gone: it may be inlined, renamed, or in a module that is not loaded; the compiler left no function finish_task_switch in this kernel, only finish_task_switch.isra.0 (ENOENT)',
    );
    expect(() => at(refused('ENOENT')).attach([])).toThrow('the list names no function');
  });

  it('stops at a refusal that every name would meet', () => {
    const host = refused('EACCES');
    expect(() => at(host).attach(['a', 'b'])).toThrow('attach "trace" to kprobe a: ');
    expect(host.calls.filter((call) => call.startsWith('perfEventOpen'))).toHaveLength(1);
  });

  it('says that an address is none to probe', () => {
    expect(() => at(refused('EILSEQ')).attach(0xffffffff81000001n)).toThrow(
      '0xffffffff81000001 is not where an instruction starts',
    );
    expect(() => at(refused('EINVAL')).attach(1n)).toThrow('no instruction that can be probed lies at 0x1');
  });

  it('names an offset inside an instruction', () => {
    expect(() => at(refused('EILSEQ')).attach('do_unlinkat', { offset: 3 })).toThrow(
      'offset 0x3 is not where an instruction of do_unlinkat starts',
    );
  });

  it('names the missing capability and the paranoia', () => {
    const host = refused('EACCES');
    host.file('/proc/self/status', 'CapEff:\t0000000000000000\nSeccomp:\t0\n');
    host.file('/proc/sys/kernel/perf_event_paranoid', '3\n');
    expect(() => at(host).attach()).toThrow(
      'this process lacks CAP_PERFMON (kernel.perf_event_paranoid is 3) (EACCES). Run as root, or',
    );
  });

  it('says that the kernel has no kprobes', () => {
    const host = fakeHost();
    host.file('/sys/kernel/tracing/events/enable', '0');
    expect(() => at(host).attach()).toThrow(NotSupportedError);
    expect(() => at(host).attach()).toThrow(/this kernel has no kprobes: neither .* exists/);
  });

  it('tells how to mount tracefs before it judges a kernel without the PMU', () => {
    expect(() => at(fakeHost()).attach()).toThrow(
      /Mount it: mount -t tracefs tracefs \/sys\/kernel\/tracing$/,
    );
  });

  it('does not let a name change the terminal', () => {
    expect(() => at(refused('ENOENT')).attach('a\u001b[2J')).toThrow('kprobe a\\u{1b}[2J');
  });
});
