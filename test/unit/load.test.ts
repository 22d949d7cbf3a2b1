import { isBpfError } from '@bpfskel/runtime';
import { describe, expect, it } from 'vitest';
import { load } from '../../runtime/src/loader/load.js';
import { OpenObject } from '../../runtime/src/loader/open-object.js';
import { parseObject } from '../../runtime/src/object/parse.js';
import { BtfBuilder } from './btf-builder.js';
import { testObject } from './object-editor.js';
import { recordedKernel } from './recorded-kernel.js';

const open = (file: string, name = file.replace('.o', '')) =>
  new OpenObject(name, parseObject(testObject(file)));

describe('load() works in libbpf’s order', () => {
  const { kernel, order } = recordedKernel();
  load(open('maps.o'), kernel).destroy();
  const at = (call: string) => {
    const index = order.indexOf(call);
    if (index < 0) throw new Error(`${call} is not among ${order.join(', ')}`);
    return index;
  };

  it.each([
    ['BTF before maps', 'btfLoad(object)', 'mapCreate(typed)'],
    ['maps in the object’s order', 'mapCreate(typed)', 'mapCreate(sized)'],
    ['global data after it is created', 'mapCreate(maps.rodata)', 'mapUpdate(maps.rodata)'],
    ['freezing after filling', 'mapUpdate(maps.rodata)', 'mapFreeze(maps.rodata)'],
    ['inner maps after all maps', 'mapCreate(maps.bss)', 'mapUpdate(outer)'],
    ['a look for pins before creating', 'pinned(/sys/fs/bpf/sized)', 'mapCreate(sized)'],
    ['pins after filling', 'mapFreeze(maps.rodata)', 'pin(/sys/fs/bpf/sized)'],
    ['programs after maps', 'mapUpdate(outer)', 'progLoad(tail)'],
    ['programs in the object’s order', 'progLoad(tail)', 'progLoad(entry)'],
    ['what binds constants after the program', 'progLoad(entry)', 'progBindMap(entry, maps.rodata)'],
    ['slots of program arrays at the end', 'progLoad(entry)', 'mapUpdate(calls)'],
  ])('%s', (_name, first, second) => {
    expect(at(first)).toBeLessThan(at(second));
  });

  it('and never fills what programs write to after they run', () => {
    expect(order.filter((call) => call === 'mapUpdate(maps.bss)')).toHaveLength(1);
  });
});

describe('load()', () => {
  it('of an object without CO-RE asks for no types of the kernel', () => {
    const { kernel, fake } = recordedKernel();
    fake.failing('readFile', 'EIO', { name: '/sys/kernel/btf/vmlinux' });
    using live = load(open('maps.o'), kernel);
    expect(live.progs.size).toBe(2);
  });

  it('of an object with CO-RE says when there are none, once and not of one relocation', () => {
    const { kernel } = recordedKernel();
    const object = open('core_fields.o');
    expect(() => load(object, kernel)).toThrow(
      expect.objectContaining({
        name: 'NotSupportedError',
        message: expect.stringMatching(
          /^read the types of this kernel: 6\.12\.0-fake has none of \/sys\/kernel\/btf\/vmlinux, /,
        ),
      }),
    );
  });

  it.each([
    ['/nowhere', 'read the types of the kernel from /nowhere: there is no such file'],
    [new Uint8Array(30), 'malformed kernelBtf at byte 0'],
  ])('with kernelBtf %s says what is wrong with it', (kernelBtf, sentence) => {
    expect(() => load(open('core_fields.o'), recordedKernel().kernel, { kernelBtf })).toThrow(sentence);
  });

  it('refuses an object of the other byte order', () => {
    const { kernel, order } = recordedKernel();
    expect(() => load(open('maps.eb.o'), kernel)).toThrow(
      expect.objectContaining({
        code: 'ERR_BPF_BYTE_ORDER',
        message:
          'load maps.eb: the object is big-endian and this host is little-endian; compile it with -target bpfel',
      }),
    );
    expect(order).toEqual([]);
  });

  it('keeps the error of the failure when cleaning up fails as well', () => {
    const { kernel, fake } = recordedKernel();
    fake.rejectProgram('tail', 'the verdict\n');
    fake.failing('unpin', 'EBUSY');
    expect(() => load(open('maps.o'), kernel)).toThrow(/load program "tail": verifier: the verdict/);
    expect(fake.openFds).toEqual([]);
  });

  it('can be tried again after a failure, and not after success', () => {
    const { kernel, fake } = recordedKernel();
    const object = open('maps.o');
    fake.failing('progLoad', 'EAGAIN', { times: 2, name: 'tail' });
    expect(() => load(object, kernel)).toThrow(/EAGAIN/);
    using _live = load(object, kernel);
    expect(() => load(object, kernel)).toThrow(
      'load: maps is already loaded; do it between open() and load()',
    );
  });

  it('loads nothing of a program that is switched off', () => {
    const { kernel, programs } = recordedKernel();
    const object = open('beside.o');
    for (const program of object.progs.values()) program.autoload = program.name === 'called';
    load(object, kernel).destroy();
    expect(programs.map(({ name }) => name)).toEqual(['called']);
  });

  it('closes descriptors of modules that only loading needed', () => {
    const vmlinux = new BtfBuilder();
    vmlinux.int('int', 4);
    const module = new BtfBuilder({ base: vmlinux.btf() });
    module.func('in_module', module.prototype(0, []));
    const { kernel, fake, program } = recordedKernel({ btf: vmlinux.bytes() });
    fake.setFile('/sys/kernel/btf/mod', module.bytes());
    const parsed = parseObject(testObject('beside.o'));
    const programs = parsed.programs
      .filter(({ name }) => name === 'caller')
      .map((each) => ({ ...each, sec: 'fentry/in_module' }));
    const live = load(new OpenObject('o', { ...parsed, programs }), kernel);
    expect(program('caller').attachBtfObjFd).toBeGreaterThan(0);
    expect(fake.openFds.filter(({ of }) => of === 'btf')).toHaveLength(1);
    live.destroy();
    expect(fake.openFds).toEqual([]);
  });

  const absent: [what: string, section: string, text: RegExp][] = [
    [
      'is nowhere',
      'do_unlinkatt',
      /: this kernel has no function do_unlinkatt in its BTF.*similar names: do_unlinkat$/,
    ],
    [
      'has only another name',
      'finish_task_switch',
      /: the compiler left no function finish_task_switch in this kernel, only finish_task_switch\.isra\.0, which BTF does not describe\. Use a kprobe program on that name/,
    ],
    [
      'has no type',
      'untyped',
      /: this kernel has the function untyped, but its BTF has no type for it\. Use a kprobe/,
    ],
  ];
  it.each(absent)('says that the function of an fentry program %s', (_what, name, text) => {
    const b = new BtfBuilder();
    b.func('do_unlinkat', b.prototype(0, []));
    const parsed = parseObject(testObject('beside.o'));
    const programs = parsed.programs.map((each) => ({ ...each, sec: `fentry/${name}` }));
    const { fake, kernel } = recordedKernel({ btf: b.bytes() });
    fake.setFile(
      '/proc/kallsyms',
      'ffffffff81000000 t finish_task_switch.isra.0\nffffffff81000100 t untyped\nffffffff81000200 T do_unlinkat\n',
    );
    let error: unknown;
    try {
      load(new OpenObject('o', { ...parsed, programs }), kernel);
    } catch (caught) {
      error = caught;
    }
    expect(isBpfError(error) && [error.code, error.message]).toEqual(['ESRCH', expect.stringMatching(text)]);
    expect(isBpfError(error) && error.message).toContain(`SEC("fentry/${name}")`);
  });
});
