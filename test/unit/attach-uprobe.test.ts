import { describe, expect, it } from 'vitest';
import { BpfError, NotSupportedError } from '../../runtime/src/errors.js';
import { type UprobeOptions, UprobeProgram, UretprobeProgram } from '../../runtime/src/program/index.js';
import { type FakeBinarySpec, fakeBinary, fakeLayout } from '../../runtime/src/testing/index.js';
import { type BinaryHost, binaryHost } from './binary-host.js';
import { handleFor } from './fake-host.js';
import { type ZipFile, zipArchive } from './zip-archive.js';

const libc = '/usr/lib/libc.so.6';
const tracing = '/sys/kernel/tracing';

function host(
  exports: FakeBinarySpec['exports'] = ['getpid', 'open'],
  more: FakeBinarySpec = {},
): BinaryHost {
  const made = binaryHost();
  made.binary(libc, fakeBinary({ exports, ...more }));
  return made;
}
const at = (where: BinaryHost, section = 'uprobe/libc.so.6:open') =>
  new UprobeProgram(handleFor(where, { name: 'trace', section }));

/** `open`, the second function. */
const openOffset = fakeLayout.code.offset + 32;

describe('attaching a uprobe', () => {
  it('opens the uprobe PMU on CPU 0 for all processes and puts a perf link on it', () => {
    const on = host();
    expect(at(on).attach().target).toBe('uprobe /usr/lib/libc.so.6:open');
    expect(on.calls).toEqual([
      `perfEventOpen({"type":9,"config":"0n","target":"${libc}","config2":"${openOffset}n","pid":-1,"cpu":0})`,
      'linkCreate({"prog":9,"attachType":41,"target":{"fd":13},"options":{"kind":"perf_event","cookie":"0n"}})',
      'perfEventEnable(13)',
    ]);
    expect(on.open.size).toBe(2);
  });

  it('closes the file it read', () => {
    const on = host();
    at(on).attach().detach();
    expect(on.open.size).toBe(0);
  });

  const sections: [section: string, place: string, offset: number][] = [
    ['uprobe/libc.so.6:open+0x10', 'open+0x10', openOffset + 16],
    ['uprobe/libc.so.6:open+16', 'open+0x10', openOffset + 16],
    ['uprobe/libc.so.6:open+010', 'open+0x8', openOffset + 8],
    ['uprobe.s/libc.so.6:open', 'open', openOffset],
    ['uprobe//usr/lib/libc.so.6:open', 'open', openOffset],
  ];
  it.each(sections)('takes SEC("%s") as %s', (section, place, offset) => {
    const on = host();
    expect(at(on, section).attach().target).toBe(`uprobe /usr/lib/libc.so.6:${place}`);
    expect(on.calls[0]).toContain(`"config2":"${offset}n"`);
  });

  it('takes a plus that no number follows for a part of the name', () => {
    const on = host(['operator+x']);
    expect(at(on, 'uprobe/libc.so.6:operator+x').attach().target).toContain(':operator+x');
  });

  it.each(['uprobe/libc.so.6', 'uprobe/libc.so.6:', 'uprobe/:open'])(
    'asks for what SEC("%s") lacks',
    (section) => {
      const on = host();
      expect(() => at(on, section).attach()).toThrow(/SEC\(\) must name a binary and a function/);
      expect(on.calls).toEqual([]);
    },
  );

  const calls: [options: UprobeOptions, offset: number, target: string][] = [
    [{ symbol: 'getpid', offset: 4 }, fakeLayout.code.offset + 20, `uprobe ${libc}:getpid+0x4`],
    [{ offset: 0x1234 }, 0x1234, `uprobe ${libc}:0x1234`],
    [{ address: fakeLayout.code.address + 5 }, fakeLayout.code.offset + 5, `uprobe ${libc}:0x1005`],
    [{ address: BigInt(fakeLayout.code.address) }, fakeLayout.code.offset, `uprobe ${libc}:0x1000`],
    [{ pid: 7 }, openOffset, `uprobe ${libc}:open (pid 7)`],
    [{ pid: 0 }, openOffset, `uprobe ${libc}:open (pid 4242)`],
  ];
  it.each(calls)('takes %o of the call before SEC()', (options, offset, target) => {
    const on = host();
    on.file('/proc/7/status', '');
    expect(at(on).attach(options).target).toBe(target);
    expect(on.calls[0]).toContain(`"config2":"${offset}n"`);
    const pid = /pid (\d+)/.exec(target)?.[1];
    expect(on.calls[0]).toContain(pid === undefined ? '"pid":-1,"cpu":0' : `"pid":${pid},"cpu":-1`);
  });

  it('tells the kernel where the counter of a semaphore is, and which bit means return', () => {
    const on = host();
    on.file('/sys/bus/event_source/devices/uprobe/format/retprobe', 'config:3\n');
    const program = new UretprobeProgram(handleFor(on, { section: 'uretprobe/libc.so.6:open' }));
    expect(program.attach({ refCtrOffset: 0x2004, cookie: 5n }).target).toBe(`uretprobe ${libc}:open`);
    expect(on.calls[0]).toContain(`"config":"${(0x2004n << 32n) | 8n}n"`);
    expect(on.calls[1]).toContain('"cookie":"5n"');
  });

  it('looks for libraries and programs where libbpf does, in its order', () => {
    const bytes = fakeBinary({ exports: ['main'] });
    for (const [name, path] of [
      ['libx.so', '/usr/lib64/libx.so'],
      ['liby.so.1', '/lib/x86_64-linux-gnu/liby.so.1'],
      ['tool', '/usr/sbin/tool'],
    ] as const) {
      const on = host();
      on.binary(path, bytes);
      expect(at(on, `uprobe/${name}:main`).attach().target).toBe(`uprobe ${path}:main`);
    }
    const on = host([], {});
    for (const path of ['/opt/lib/libx.so', '/usr/lib64/libx.so', '/opt/bin/tool', '/usr/bin/tool']) {
      on.binary(path, bytes);
    }
    on.environment.set('LD_LIBRARY_PATH', ':/opt/lib');
    on.environment.set('PATH', '/nowhere:/opt/bin');
    expect(at(on, 'uprobe/libx.so:main').attach().target).toBe('uprobe /opt/lib/libx.so:main');
    expect(at(on, 'uprobe/tool:main').attach().target).toBe('uprobe /opt/bin/tool:main');
  });

  it('passes over programs that cannot be executed', () => {
    const on = host();
    on.binary('/usr/bin/tool', fakeBinary({ exports: ['main'] }), { executable: false });
    on.binary('/usr/sbin/tool', fakeBinary({ exports: ['main'] }));
    expect(at(on, 'uprobe/tool:main').attach().target).toBe('uprobe /usr/sbin/tool:main');
  });

  it('with a pid takes the library that process has mapped, in its own file system', () => {
    const on = host();
    const inside = '/opt/app/libc.so.6';
    on.binary(`/proc/7/root${inside}`, fakeBinary({ exports: [{ name: 'open', offset: 0x80 }] }));
    on.file('/proc/7/maps', `1000-2000 r-xp 00000000 08:01 5 ${inside}\n`);
    expect(at(on).attach({ pid: 7 }).target).toBe(`uprobe ${inside}:open (pid 7)`);
    expect(on.calls[0]).toContain(`"target":"/proc/7/root${inside}","config2":"${0x1080}n"`);
  });

  it('with a pid reads absolute paths in the file system of that process', () => {
    const on = host();
    on.binary('/proc/7/root/app', fakeBinary({ exports: ['main'] }));
    expect(at(on, 'uprobe').attach({ pid: 7, binary: '/app', symbol: 'main' }).target).toBe(
      'uprobe /app:main (pid 7)',
    );
    expect(on.calls[0]).toContain('"target":"/proc/7/root/app"');
  });

  const maps = [
    '00400000-00401000 r--p 00000000 08:01 5                          /opt/my app',
    '00401000-00403000 r-xp 00001000 08:01 5                          /opt/my app',
    '00500000-00501000 r-xp 00003000 08:01 6                          /opt/old (deleted)',
    '00600000-00601000 rw-p 00000000 00:00 0                          [heap]',
    '00700000-00701000 rwxp 00000000 00:00 0 ',
  ].join('\n');
  const mapped = () => {
    const on = host();
    on.file('/proc/7/maps', `${maps}\n`);
    on.file('/proc/7/root/opt/my app', '');
    on.file('/proc/7/map_files/500000-501000', '');
    return on;
  };

  it('finds an address of a running process in the file that is mapped there', () => {
    const on = mapped();
    expect(at(on).attach({ pid: 7, address: 0x402010n }).target).toBe('uprobe /opt/my app:0x2010 (pid 7)');
    expect(on.calls[0]).toContain('"target":"/proc/7/root/opt/my app","config2":"8208n"');
    at(on).attach({ pid: 7, address: 0x500004n });
    expect(on.calls[3]).toContain('"target":"/proc/7/map_files/500000-501000","config2":"12292n"');
  });

  const nowhere: [address: bigint, text: string][] = [
    [0x400010n, 'what process 7 has at 0x400010 is data of /opt/my app'],
    [0x600010n, 'what process 7 has at 0x600010 is [heap]; a uprobe needs a file'],
    [0x700010n, 'what process 7 has at 0x700010 is memory of no file'],
    [0x800000n, 'process 7 has nothing at 0x800000'],
  ];
  it.each(nowhere)('says what is at %d of a process instead of code', (address, text) => {
    expect(() => at(mapped()).attach({ pid: 7, address })).toThrow(
      `attach "trace" to uprobe 0x${address.toString(16)} (pid 7): ${text}`,
    );
  });

  it('makes a new owned link every time, and releases each once', () => {
    const on = host();
    const handle = handleFor(on, { section: 'uprobe/libc.so.6:open' });
    const program = new UprobeProgram(handle);
    const [one, two] = [program.attach(), program.attach({ symbol: 'getpid' })];
    expect(handle.owned).toEqual([one, two]);
    one.detach();
    one.detach();
    expect(on.open.size).toBe(2);
    two.detach();
    expect(on.open.size).toBe(0);
  });

  it.each(['perfEventOpen', 'linkCreate', 'perfEventEnable', 'readAt'] as const)(
    'leaks nothing when %s fails',
    (method) => {
      const on = host();
      on.refuse(method, 'EIO');
      expect(() => at(on).attach()).toThrow(BpfError);
      expect(on.open.size).toBe(0);
    },
  );
});

describe('a uprobe of a stripped binary', () => {
  const build = 'c0ffee01';
  const stripped = fakeBinary({ exports: ['main'], buildId: build, debugLink: 'app.debug' });
  const symbols = fakeBinary({ symbols: [{ name: 'inner', offset: 0x88 }], buildId: build });
  const byId = '/usr/lib/debug/.build-id/c0/ffee01.debug';
  const inner = { binary: '/opt/app', symbol: 'inner' };
  const withFile = (path: string, bytes = symbols) => {
    const on = host();
    on.binary('/opt/app', stripped);
    on.binary(path, bytes);
    return on;
  };

  it.each([byId, '/opt/app.debug', '/opt/.debug/app.debug', '/usr/lib/debug/opt/app.debug'])(
    'finds its functions by the symbols in %s',
    (path) => {
      const on = withFile(path);
      expect(at(on, 'uprobe').attach(inner).target).toBe('uprobe /opt/app:inner');
      expect(on.calls[0]).toContain(`"target":"/opt/app","config2":"${fakeLayout.code.offset + 0x88}n"`);
    },
  );

  it('finds those of a process in its own file system', () => {
    const on = withFile(`/proc/7/root${byId}`);
    on.binary('/proc/7/root/opt/app', stripped);
    expect(at(on, 'uprobe').attach({ ...inner, pid: 7 }).target).toContain('/opt/app:inner');
  });

  it('takes no symbols of another build, nor broken ones, and says where they would be', () => {
    for (const bytes of [fakeBinary({ symbols: ['inner'], buildId: 'c0ffee02' }), symbols.slice(0, 100)]) {
      const on = withFile('/opt/app.debug', bytes);
      expect(() => at(on, 'uprobe').attach(inner)).toThrow(
        `/opt/app has no function inner among those it exports, and is stripped of all others. Install its debugging symbols: ${byId}`,
      );
      expect(on.open.size).toBe(0);
    }
  });
});

describe('attaching a uprobe through tracefs', () => {
  function old(): BinaryHost {
    const on = host();
    on.remove('/sys/bus/event_source/devices/uprobe/type');
    on.file(`${tracing}/uprobe_events`, '');
    on.file(`${tracing}/events/enable`, '0');
    on.events = true;
    return on;
  }

  it('defines a probe, opens its id, and removes it after the event is closed', () => {
    const on = old();
    const link = at(on).attach({ pid: 0 });
    expect(on.calls[0]).toMatch(
      new RegExp(
        `^writeFile\\("${tracing}/uprobe_events", "p:bpfskel/\\w+_libc_so_6 ${libc}:0x1020", true\\)$`,
      ),
    );
    expect(on.calls[1]).toBe('perfEventOpen({"type":2,"config":"1700n","pid":4242,"cpu":-1})');
    link.detach();
    expect(on.calls.at(-1)).toMatch(/"-:bpfskel\/\w+_libc_so_6", true\)$/);
    expect(on.open.size).toBe(0);
  });

  it('removes the probe when the event does not open', () => {
    const on = old();
    on.refuse('perfEventOpen', 'EMFILE');
    expect(() => at(on).attach()).toThrow('too many open files');
    expect(on.calls.at(-1)).toContain('"-:bpfskel/');
  });

  it('cannot have a semaphore, nor a path with spaces', () => {
    expect(() => at(old()).attach({ refCtrOffset: 8 })).toThrow(NotSupportedError);
    const on = old();
    on.binary('/my app', fakeBinary({ exports: ['main'] }));
    expect(() => at(on).attach({ binary: '/my app', symbol: 'main' })).toThrow(/a path cannot have spaces/);
  });

  it('says that the kernel has no uprobes, or that tracefs is not mounted', () => {
    const on = old();
    on.remove(`${tracing}/uprobe_events`);
    expect(() => at(on).attach()).toThrow(/this kernel has no uprobes: neither .* exists/);
    on.remove(`${tracing}/events/enable`);
    expect(() => at(on).attach()).toThrow(/Mount it: mount -t tracefs/);
  });
});

describe('a uprobe that cannot be attached', () => {
  const spec: FakeBinarySpec = {
    exports: [
      'getpid',
      { name: 'old', version: 'V_1', offset: 16 },
      { name: 'old', version: 'V_2', offset: 32 },
      { name: 'malloc', imported: true, version: 'GLIBC_2.2.5', library: 'libm.so.6' },
      { name: 'strlen', imported: true },
      { name: 'nowhere', imported: true },
      { name: 'table', type: 'object' },
      { name: 'label', type: 'none' },
      { name: 'chosen', type: 'ifunc' },
      'chosen_avx2',
    ],
    symbols: [
      { name: 'twice', binding: 'local', offset: 1 },
      { name: 'twice', binding: 'local', offset: 9 },
      '_ZN2ns4Type6methodEi',
    ],
    libraries: ['libm.so.6', 'libc.so.6'],
  };
  const app = () => {
    const on = host(['malloc', { name: 'strlen', type: 'ifunc' }]);
    on.binary('/usr/bin/app', fakeBinary(spec));
    on.binary('/usr/bin/stripped', fakeBinary({ exports: ['main'] }));
    on.binary('/usr/bin/bare', fakeBinary());
    on.file('/usr/bin/script', '#!/usr/bin/env node\n');
    on.file('/usr/lib/libx.so', '/* GNU ld script */\n');
    return on;
  };
  const cases: [binary: string, symbol: string, text: string][] = [
    ['app', 'getpidd', 'has no function getpidd. Similar names: getpid'],
    [
      'app',
      'old',
      'several functions called old: old@V_1 at 0x1010, old@V_2 at 0x1020. Name one with its version',
    ],
    ['app', 'old@V_3', 'has no old@V_3. It has old@V_1, old@V_2'],
    [
      'app',
      'twice',
      'several functions called twice: twice at 0x1001, twice at 0x1009. Give the offset of one',
    ],
    ['app', 'malloc', 'malloc is imported by /usr/bin/app; it lives in libc.so.6. Probe that'],
    ['app', 'strlen', 'strlen is imported by /usr/bin/app; it lives in libc.so.6. Probe that'],
    ['app', 'nowhere', 'it lives in another file. It is linked with libm.so.6, libc.so.6'],
    ['app', 'table', 'table is in /usr/bin/app, but not as a function'],
    ['app', 'label', 'not as a function. If it is code, give its offset: 0x'],
    [
      'app',
      'chosen',
      'chosen is an indirect function: /usr/bin/app decides when it starts which code that is. Probe what it may be: chosen_avx2',
    ],
    ['app', 'ns::Type::method(int)', 'found by the name that nm prints: _ZN2ns4Type6methodEi'],
    ['stripped', 'work', 'has no function work among those it exports, and is stripped of all others'],
    ['bare', 'work', '/usr/bin/bare is stripped: it has no symbols'],
    ['/usr/bin/script', 'main', '/usr/bin/script is a script; what runs is /usr/bin/env, probe that'],
    ['libx.so', 'main', '/usr/lib/libx.so is a linker script; probe the library it names'],
    ['/usr/bin', 'main', '/usr/bin is a directory'],
    ['/usr/bin/ap', 'main', 'there is no /usr/bin/ap'],
    [
      'libc.so',
      'main',
      'there is no libc.so in /usr/lib64, /usr/lib, /lib/x86_64-linux-gnu, /lib64, /lib. There is libc.so.6',
    ],
    ['tool', 'main', 'there is no tool in /usr/bin, /usr/sbin. Give its path'],
    ['a\u001b[2J', 'main', 'there is no a\\u{1b}[2J in'],
  ];
  it.each(cases)('explains %s:%s', (binary, symbol, text) => {
    const on = app();
    const attach = () => at(on, 'uprobe').attach({ binary, symbol });
    expect(attach).toThrow(BpfError);
    expect(attach).toThrow(text);
    expect(on.open.size).toBe(0);
  });

  const contradictions: [options: UprobeOptions, text: string][] = [
    [{}, 'nothing says where'],
    [{ binary: 'app' }, 'nothing says where'],
    [{ symbol: 'main' }, 'nothing says in which binary'],
    [{ binary: 'app', address: 1n, symbol: 'main' }, 'an address says everything'],
    [{ binary: 'app', offset: -1 }, 'offset -1 is no whole number'],
    [{ binary: 'app', offset: 1.5 }, 'offset 1.5 is no whole number'],
    [{ binary: 'app', offset: 1, pid: -2 }, 'pid -2 is no whole number'],
    [{ binary: 'app', address: 2 ** 60 }, 'Addresses are bigints'],
    [{ binary: 'app', address: 16n }, 'nothing of /usr/bin/app lies at address 0x10'],
    [{ binary: 'app', address: fakeLayout.data.address }, 'data of /usr/bin/app lies at address 0x6000'],
    [{ binary: 'app', offset: 1, pid: 99 }, 'there is no process 99'],
    [{ binary: 'app', offset: 1, refCtrOffset: 2 ** 32 }, 'lies beyond the 4 GiB'],
  ];
  it.each(contradictions)('explains %o', (options, text) => {
    const on = app();
    on.file('/proc/self/status', '');
    expect(() => at(on, 'uprobe').attach(options)).toThrow(text);
  });

  it('does not take an offset into a function that returns', () => {
    const program = new UretprobeProgram(handleFor(app(), { section: 'uretprobe/app:getpid+4' }));
    expect(() => program.attach()).toThrow(/a uretprobe has no offset/);
  });

  it.each([
    ['EINVAL', { offset: 1 << 20 }, /offset 0x100000 lies beyond the \d+ bytes of \/usr\/bin\/app/],
    ['EIO', { offset: 1 }, /the file system of \/usr\/bin\/app does not let code be probed/],
    ['EOPNOTSUPP', { offset: 1 }, /what stands at 0x1 of \/usr\/bin\/app is no instruction/],
    ['ESRCH', { offset: 1, pid: 7 }, /there is no process 7/],
    ['EACCES', { offset: 1 }, /lacks CAP_PERFMON \(kernel.perf_event_paranoid is 3\)/],
  ] as const)('explains what the kernel means by %s', (errno, options, text) => {
    const on = app();
    on.file('/proc/self/status', 'CapEff:\t0000000000000000\nSeccomp:\t0\n');
    on.file('/proc/sys/kernel/perf_event_paranoid', '3\n');
    on.file('/proc/7/status', '');
    on.refuse('perfEventOpen', errno, () => {
      on.remove('/proc/7/status');
    });
    expect(() => at(on, 'uprobe').attach({ binary: 'app', ...options })).toThrow(text);
    expect(on.open.size).toBe(0);
  });
});

describe('attaching a uprobe to a file in an archive', () => {
  const member = 'lib/x86_64/libapp.so';
  const library = fakeBinary({ exports: ['getpid', 'open'] });
  const others: ZipFile[] = [
    { name: 'lib/x86_64/libapp.so.txt', bytes: new Uint8Array(100) },
    { name: 'packed.so', bytes: library, method: 8 },
    { name: 'locked.so', bytes: library, flags: 1 },
    { name: 'text', bytes: new TextEncoder().encode('no ELF file') },
  ];
  const { bytes, starts } = zipArchive([...others, { name: member, bytes: library }], 'PK\x05\x06 a comment');
  const start = starts[4] ?? 0;
  const device = (archive: Uint8Array = bytes) => {
    const on = binaryHost();
    on.binary('/app/x.apk', archive);
    return on;
  };
  const binary = `/app/x.apk!/${member}`;

  it('goes to the place that the function has in the archive', () => {
    const on = device();
    expect(at(on, `uprobe/${binary}:open+4`).attach().target).toBe(`uprobe ${binary}:open+0x4`);
    expect(on.calls[0]).toContain(`"target":"/app/x.apk","config2":"${start + openOffset + 4}n"`);
    at(on, 'uprobe').attach({ binary, offset: 0x40, refCtrOffset: 0x2000 });
    at(on, 'uprobe').attach({ binary, address: fakeLayout.code.address });
    const opened = on.calls.filter((call) => call.startsWith('perfEventOpen'));
    expect(opened[1]).toContain(`"config":"${BigInt(start + 0x2000) << 32n}n"`);
    expect(opened[1]).toContain(`"config2":"${start + 0x40}n"`);
    expect(opened[2]).toContain(`"config2":"${start + fakeLayout.code.offset}n"`);
  });

  it('looks for the archive of a process in its file system', () => {
    const on = binaryHost();
    on.binary('/proc/7/root/app/x.apk', bytes);
    on.file('/proc/7/status', '');
    expect(at(on, 'uprobe').attach({ binary, symbol: 'open', pid: 7 }).target).toBe(
      `uprobe ${binary}:open (pid 7)`,
    );
    expect(on.calls[0]).toContain('"target":"/proc/7/root/app/x.apk"');
  });

  const cases: [binary: string, symbol: string, text: string][] = [
    ['/app/y.apk!/a.so', 'open', 'there is no /app/y.apk'],
    [
      '/app/x.apk!/lib/x86/libapp.so',
      'open',
      `/app/x.apk: the archive has no file lib/x86/libapp.so. Similar names: ${member}`,
    ],
    [
      '/app/x.apk!/packed.so',
      'open',
      'packed.so is compressed in the archive, and so runs from nowhere in it',
    ],
    ['/app/x.apk!/locked.so', 'open', 'locked.so is encrypted in the archive'],
    ['/app/x.apk!/text', 'open', '/app/x.apk!/text is no ELF file'],
    [binary, 'opem', `${binary} has no function opem among those`],
  ];
  it.each(cases)('explains %s:%s', (name, symbol, text) => {
    const on = device();
    expect(() => at(on, 'uprobe').attach({ binary: name, symbol })).toThrow(text);
    expect(on.open.size).toBe(0);
  });

  it('finds none in what is no archive, or a broken one', () => {
    const attach = (archive: Uint8Array) => {
      const on = device(archive);
      at(on, 'uprobe').attach({ binary, symbol: 'open' }).detach();
      return on.open.size;
    };
    expect(() => attach(new Uint8Array(0))).toThrow(': /app/x.apk: this is no zip archive');
    expect(() => attach(library)).toThrow('this is no zip archive');
    let found = 0;
    for (let place = 0; place < bytes.length; place++) {
      // Whatever byte is wrong: the place is found, or the refusal says why.
      if (place >= (starts[0] ?? 0) && place < start + library.length && place % 512 !== 0) continue;
      const broken = Uint8Array.from(bytes);
      broken[place] = (broken[place] ?? 0) ^ 0xff;
      try {
        expect(attach(broken)).toBe(0);
        found++;
      } catch (error) {
        expect(error).toBeInstanceOf(BpfError);
      }
      if (place % 97 === 0) expect(() => attach(bytes.subarray(0, place))).toThrow(BpfError);
    }
    expect(found).toBeGreaterThan(0);
  });
});
