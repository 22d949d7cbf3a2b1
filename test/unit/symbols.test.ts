import { describe, expect, it } from 'vitest';
import { KallsymsTable } from '../../runtime/src/link/kallsyms-table.js';
import { PerfMap } from '../../runtime/src/link/perf-map.js';
import { SymbolOrder } from '../../runtime/src/link/symbol-order.js';
import { KernelSymbols, ProcessSymbols } from '../../runtime/src/symbols.js';
import { fakeBinary } from '../../runtime/src/testing/index.js';
import { binaryHost } from './binary-host.js';
import { fakeHost } from './fake-host.js';

const bytes = (text: string) => new TextEncoder().encode(text);

const kallsyms = `0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000000 T startup_64
ffffffff81000040 t do_one
ffffffff81000100 d some_data
ffffffff81000200 W do_two
ffffffffc0200000 t mod_b\t[b_module]
ffffffffc0100010 T mod_a\t[a_module]
ffffffffc0300000 t bpf_prog_6deef7357e7b4530_trace\t[bpf]
`;

describe('symbols in the order of their addresses', () => {
  it('are found by any address inside', () => {
    const order = new SymbolOrder(Float64Array.of(30, 10, 20, 20), Uint32Array.of(3, 1, 2, 9));
    expect([5, 10, 15, 20, 29, 30, 1e15].map((at) => order.find(at)?.place)).toEqual([
      undefined,
      1,
      1,
      2,
      2,
      3,
      3,
    ]);
    expect(order.find(25)?.offset).toBe(5);
    expect(new SymbolOrder(new Float64Array(), new Uint32Array()).find(1)).toBeUndefined();
  });
});

describe('symbols in any order', () => {
  it.each([0, 1, 2, 3, 7, 100, 1001])('are put in order, %s of them', (count) => {
    // Numbers that repeat, in pieces that ascend and descend.
    const starts = Float64Array.from({ length: count }, (_, i) => ((i * 7919) % 53) + Math.floor(i / 100));
    const given = starts.slice();
    const order = new SymbolOrder(
      starts,
      Uint32Array.from(starts, (_, i) => i),
    );
    expect(starts).toEqual(given);
    for (const at of new Set([...given, 0.5, 30.5])) {
      const below = [...given].filter((start) => start <= at);
      const nearest = Math.max(...below);
      const expected =
        below.length === 0 ? undefined : { place: given.indexOf(nearest), offset: at - nearest };
      expect(order.find(at)).toEqual(expected);
    }
  });
});

describe('the table of kernel symbols', () => {
  const table = new KallsymsTable(bytes(kallsyms));
  const cases: [address: bigint, name: string | undefined, offset: number, module: string | undefined][] = [
    [0xffffffff81000000n, '_stext', 0, undefined],
    [0xffffffff8100003fn, '_stext', 0x3f, undefined],
    [0xffffffff81000050n, 'do_one', 0x10, undefined],
    [0xffffffff81000140n, 'do_one', 0x100, undefined],
    [0xffffffff81000201n, 'do_two', 1, undefined],
    [0xffffffffc0100020n, 'mod_a', 0x10, 'a_module'],
    [0xffffffffc0200000n, 'mod_b', 0, 'b_module'],
    [0xffffffffc0300008n, 'bpf_prog_6deef7357e7b4530_trace', 8, 'bpf'],
    [0xffffffffff600000n, undefined, 0, undefined],
    [0xffffffff80ffffffn, undefined, 0, undefined],
    [0x400000n, undefined, 0, undefined],
    [0n, undefined, 0, undefined],
  ];
  it.each(cases)('knows 0x%s as %s', (address, name, offset, module) => {
    const found = table.find(address);
    expect(found).toEqual(name === undefined ? undefined : { name, offset, module });
  });

  it('takes tables of 32-bit kernels, without a last newline', () => {
    const small = new KallsymsTable(bytes('c0008000 T stext\nc0008100 t do_it'));
    expect(small.find(0xc0008108n)).toEqual({ name: 'do_it', offset: 8, module: undefined });
  });

  it('passes over what is no line of a table', () => {
    const odd = new KallsymsTable(
      bytes('\n\nhello\nffffffff81000000 T\n T x\nffffffff81000000 T ok\n\u0000'),
    );
    expect(odd.count).toBe(1);
    expect(odd.find(0xffffffff81000000n)?.name).toBe('ok');
  });
});

describe('kernel addresses', () => {
  const hostWith = (text: string) => {
    const host = fakeHost();
    let reads = 0;
    const kernel = new Proxy(host.kernel, {
      get(target, key, receiver) {
        const value: unknown = Reflect.get(target, key, receiver);
        if (key !== 'readFile' || typeof value !== 'function') return value;
        return (path: string) => {
          if (path === '/proc/kallsyms') reads += 1;
          return value.call(target, path);
        };
      },
    });
    host.file('/proc/kallsyms', text);
    return { host, kernel, reads: () => reads };
  };

  it('become frames, of a table that is read once and not before', () => {
    const { kernel, reads } = hostWith(kallsyms);
    const symbols = new KernelSymbols({ kernel });
    expect(reads()).toBe(0);
    expect(symbols.symbolize(0xffffffffc0100020n)).toEqual({
      address: 0xffffffffc0100020n,
      name: 'mod_a',
      offset: 16,
      module: 'a_module',
    });
    expect(symbols.symbolize(16n)).toEqual({ address: 16n, name: undefined, offset: 0, module: undefined });
    expect(reads()).toBe(1);
    symbols.refresh();
    symbols.symbolize(16n);
    expect(reads()).toBe(2);
  });

  it('that are hidden are an error that says how to see them', () => {
    const { host, kernel } = hostWith(kallsyms.replace(/^\w+/gm, '0000000000000000'));
    host.file('/proc/sys/kernel/kptr_restrict', '2\n');
    expect(() => new KernelSymbols({ kernel }).symbolize(1n)).toThrow(
      "read the kernel's symbols: the kernel hides addresses from this process (kernel.kptr_restrict is 2). Run as root, or",
    );
  });

  it('without a table are an error', () => {
    const { kernel } = fakeHost();
    expect(() => new KernelSymbols({ kernel }).symbolize(1n)).toThrow('It needs CONFIG_KALLSYMS=y');
  });
});

describe('the list of a compiler inside a process', () => {
  const map = new PerfMap(
    '7f0010 20 Function:~one /a.js:1\n0x7f0100 0x8 LazyCompile:*two b.js\nrubbish\n7f0010 8 *one\n',
  );

  it.each([
    [0x7f0010n, '*one', 0],
    [0x7f0017n, '*one', 7],
    [0x7f0107n, 'LazyCompile:*two b.js', 7],
  ])('knows %s as %s', (address, name, offset) => {
    expect(map.find(address)).toEqual({ name, offset });
  });

  it.each([0x7f000fn, 0x7f0108n, 0n, 2n ** 60n])('does not know %s', (address) => {
    expect(map.find(address)).toBeUndefined();
  });
});

describe('addresses of a process', () => {
  const maps = `555500003000-555500004000 r-xp 00001000 fe:01 12 /usr/bin/app
555500006000-555500007000 rw-p 00002000 fe:01 12 /usr/bin/app
7f0000000000-7f0000001000 r-xp 00001000 fe:01 13 /usr/lib/libx.so
7f0000100000-7f0000101000 r-xp 00000000 00:00 0
7f0000200000-7f0000201000 r-xp 00001000 fe:01 14 /usr/lib/old.so (deleted)
7f0000300000-7f0000301000 r-xp 00000000 fe:01 15 /etc/text
7fff00000000-7fff00001000 r-xp 00000000 00:00 0 [vdso]
`;
  const host = () => {
    const on = binaryHost();
    on.file('/proc/70/maps', maps);
    on.binary('/proc/70/root/usr/bin/app', fakeBinary({ symbols: ['main', 'run'], exports: ['main'] }));
    on.binary('/proc/70/root/usr/lib/libx.so', fakeBinary({ exports: ['exported'] }));
    on.binary('/proc/70/map_files/7f0000200000-7f0000201000', fakeBinary({ symbols: ['gone'] }));
    on.file('/proc/70/root/etc/text', 'no program');
    on.file('/proc/70/root/tmp/perf-3.map', '7f0000100010 10 Function:~js\n');
    on.file('/proc/70/status', 'Name:\tapp\nNSpid:\t70\t3\n');
    return on;
  };

  const cases: [address: bigint, name: string | undefined, offset: number, module: string | undefined][] = [
    [0x555500003010n, 'main', 0, '/usr/bin/app'],
    [0x555500003027n, 'run', 7, '/usr/bin/app'],
    // Behind the end of the function, as it says itself.
    [0x555500003028n, undefined, 0x3028, '/usr/bin/app'],
    [0x7f0000000011n, 'exported', 1, '/usr/lib/libx.so'],
    [0x7f0000100018n, 'Function:~js', 8, undefined],
    [0x7f0000100800n, undefined, 0x800, undefined],
    [0x7f0000200010n, 'gone', 0, '/usr/lib/old.so'],
    [0x7f0000300010n, undefined, 0x10, '/etc/text'],
    [0x7fff00000010n, undefined, 0x10, '[vdso]'],
    // Data, and nothing.
    [0x555500006010n, undefined, 0, undefined],
    [1n, undefined, 0, undefined],
  ];
  it.each(cases)('0x%s is %s', (address, name, offset, module) => {
    const symbols = new ProcessSymbols(70, { kernel: host().kernel });
    expect(symbols.symbolize(address)).toEqual({ address, name, offset, module });
  });

  it('of a process that is gone have no name', () => {
    const symbols = new ProcessSymbols(71, { kernel: host().kernel });
    expect(symbols.symbolize(0x555500003010n).name).toBeUndefined();
  });

  it('are found with one look at each file, which processes share', () => {
    const on = host();
    on.file('/proc/71/maps', maps);
    on.binary('/proc/71/root/usr/lib/libx.so', fakeBinary({ exports: ['exported'] }), {
      realPath: '/proc/70/root/usr/lib/libx.so',
    });
    let opened = 0;
    const kernel = new Proxy(on.kernel, {
      get(target, key, receiver) {
        if (key === 'openFile') opened += 1;
        return Reflect.get(target, key, receiver);
      },
    });
    const [one, other] = [new ProcessSymbols(70, { kernel }), new ProcessSymbols(71, { kernel })];
    for (const symbols of [one, one, other]) {
      expect(symbols.symbolize(0x7f0000000010n).name).toBe('exported');
    }
    expect(opened).toBe(1);
    expect(on.open.size).toBe(0);
  });

  it('are looked for again after refresh()', () => {
    const on = host();
    const symbols = new ProcessSymbols(70, { kernel: on.kernel });
    const late = 0x7f0000400010n;
    expect(symbols.symbolize(late).module).toBeUndefined();
    on.file('/proc/70/maps', `${maps}7f0000400000-7f0000401000 r-xp 00001000 fe:01 13 /usr/lib/libx.so\n`);
    expect(symbols.symbolize(late).module).toBeUndefined();
    symbols.refresh();
    expect(symbols.symbolize(late).name).toBe('exported');
  });
});
