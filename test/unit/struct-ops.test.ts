import { NotSupportedError } from '@bpfskel/runtime';
import { describe, expect, it } from 'vitest';
import { load } from '../../runtime/src/loader/load.js';
import { OpenObject } from '../../runtime/src/loader/open-object.js';
import type { StructOpsMap } from '../../runtime/src/map/struct-ops.js';
import { parseObject } from '../../runtime/src/object/parse.js';
import { BPF_ATTACH_TYPE, BPF_F_LINK, BPF_MAP_TYPE, BPF_PROG_TYPE } from '../../runtime/src/uapi.js';
import { BtfBuilder, type Member } from './btf-builder.js';
import { testObject } from './object-editor.js';
import { type RecordedKernel, recordedKernel } from './recorded-kernel.js';

/** What functions.bpf.c calls my_ops, as some kernel has it. Ids: 1 int, 2 unsigned, 3 char[16], 4 pointer to function. */
interface KernelStruct {
  readonly name?: string;
  readonly members?: readonly Member[];
  readonly size?: number;
}

const int = 1;
const unsigned = 2;
const chars = 4;
const callback = 6;
/** The members in another order, and one more than the object knows. */
const moved: readonly Member[] = [
  { name: 'added', type: callback, at: 0 },
  { name: 'flags', type: unsigned, at: 8 },
  { name: 'name', type: chars, at: 12 },
  { name: 'update', type: callback, at: 32 },
  { name: 'init', type: callback, at: 40 },
];

function kernelWith(
  { name = 'my_ops', members = moved, size = 48 }: KernelStruct = {},
  version = '6.12',
): RecordedKernel {
  const b = new BtfBuilder();
  b.int('int', 4); // 1
  b.int('unsigned int', 4, 'unsigned'); // 2
  b.array(b.int('char', 1), 16); // 3, 4
  b.ptr(b.prototype(int, [['cpu', int]])); // 5, 6
  b.variable('bpf_prog_active', int);
  b.func('bpf_rcu_read_lock', b.prototype(0, []));
  const ops = b.struct(name, size, members);
  b.struct(`bpf_struct_ops_${name}`, 64 + size, [
    { name: 'common', type: int, at: 0 },
    { name: 'data', type: ops, at: 64 },
  ]);
  return recordedKernel({ btf: b.bytes(), version });
}

/** functions.o with nothing but its struct_ops programs; `spare` makes the `?` map too. */
function openOps({ spare = false } = {}): OpenObject {
  const object = new OpenObject('ops', parseObject(testObject('functions.o')));
  for (const program of object.progs.values()) program.autoload = program.section.startsWith('struct_ops');
  const map = object.maps.get('spare');
  if (map !== undefined) map.autocreate = spare;
  return object;
}

const kconfig = 'CONFIG_BPF=y\nCONFIG_HZ=250\nCONFIG_IPV6=m\nCONFIG_CC_VERSION_TEXT="cc"\n';
const loaded = (recorded: RecordedKernel, object = openOps()) => load(object, recorded.kernel, { kconfig });
const dataOf = (recorded: RecordedKernel, name: string): DataView => {
  for (const [, value] of recorded.fake.map(name).entries()) return new DataView(value.buffer);
  throw new Error(`${name} has no value`);
};

describe('a scheduler (sched_ext_ops)', () => {
  const types = '/sys/kernel/btf/vmlinux';
  const open = () => new OpenObject('sched_ext', parseObject(testObject('sched_ext.o')));
  const refused = (version: string, config?: string) => {
    const { kernel, fake } = recordedKernel({
      version,
      btf: kernelWith().kernel.readFile(types) ?? new Uint8Array(),
    });
    if (config !== undefined) fake.setFile(`/boot/config-${fake.release}`, config);
    return () => load(open(), kernel);
  };
  it.each([
    [
      '6.6',
      undefined,
      'this kernel has no struct_ops of type sched_ext_ops: they came with Linux 6.12 (CONFIG_SCHED_CLASS_EXT), and this is 6.6.0-fake',
    ],
    [
      '6.12',
      '# CONFIG_SCHED_CLASS_EXT is not set\n',
      'this kernel, 6.12.0-fake, has no struct_ops of type sched_ext_ops: it was built without CONFIG_SCHED_CLASS_EXT',
    ],
    [
      '6.18',
      undefined,
      'this kernel, 6.18.0-fake, has no struct_ops of type sched_ext_ops: they take Linux 6.12 with CONFIG_SCHED_CLASS_EXT',
    ],
  ])('is refused by Linux %s without them, which says since when there are (%s)', (version, config, why) => {
    expect(refused(version, config)).toThrow(`create map "scheduler": ${why}`);
    expect(refused(version, config)).toThrow(NotSupportedError);
    expect(refused(version, config)).toThrow(expect.objectContaining({ since: '6.12' }));
  });

  it('gets a map where they are', () => {
    const b = new BtfBuilder();
    const int = b.int('int', 4);
    const ops = b.struct('sched_ext_ops', 136, [
      { name: 'init', type: b.ptr(b.prototype(int, [])), at: 0 },
      { name: 'name', type: b.array(b.int('char', 1), 128), at: 8 },
    ]);
    b.struct('bpf_struct_ops_sched_ext_ops', 64 + 136, [
      { name: 'common', type: int, at: 0 },
      { name: 'data', type: ops, at: 64 },
    ]);
    const recorded = recordedKernel({ btf: b.bytes() });
    using live = load(open(), recorded.kernel);
    live.attach();
    expect(recorded.fake.links).toMatchObject([
      { attachType: BPF_ATTACH_TYPE.STRUCT_OPS, target: 'scheduler' },
    ]);
    expect(live.links.get('scheduler')?.info()).toMatchObject({ type: 'struct_ops' });
  });
});

describe('a struct_ops map', () => {
  it('has the kernel’s type and size, and wants a link', () => {
    const recorded = kernelWith();
    using _live = loaded(recorded);
    expect(recorded.map('ops')).toMatchObject({
      type: BPF_MAP_TYPE.STRUCT_OPS,
      valueSize: 64 + 48,
      flags: BPF_F_LINK,
    });
    expect(recorded.map('ops').btfVmlinuxValueTypeId).toBeGreaterThan(0);
  });

  it('that begins with ? is left out, until somebody wants it', () => {
    const recorded = kernelWith();
    using _without = loaded(recorded);
    expect(recorded.fake.maps.map(({ name }) => name)).not.toContain('spare');
    expect(() => loaded(recorded, openOps({ spare: true }))).toThrow(/different members/);
    expect(() => recorded.map('spare')).not.toThrow();
  });

  it('gets members where the kernel has them, and descriptors of programs', () => {
    const recorded = kernelWith();
    using live = loaded(recorded);
    live.attach();
    const value = dataOf(recorded, 'ops');
    expect(value.getUint32(64 + 8, true)).toBe(5);
    expect(new TextDecoder().decode(new Uint8Array(value.buffer, 64 + 12, 4))).toBe('mine');
    expect(value.getBigUint64(64 + 32, true)).toBe(BigInt(live.progs.get('ops_update')?.fd ?? 0));
    expect([value.getBigUint64(64, true), value.getBigUint64(64 + 40, true)]).toEqual([0n, 0n]);
  });

  it('has programs that are verified against the member', () => {
    const recorded = kernelWith();
    using _live = loaded(recorded);
    expect(recorded.program('ops_update')).toMatchObject({ expectedAttachType: 3 });
    expect(recorded.program('ops_update').attachBtfId).toBeGreaterThan(0);
  });

  it('may use a program as one member only', () => {
    const recorded = kernelWith();
    expect(() => loaded(recorded, openOps({ spare: true }))).toThrow(
      'load program "ops_update": maps use it as different members of struct_ops; write one program for each',
    );
    expect(recorded.fake.openFds).toEqual([]);
  });

  it('is attached by a link after its value is written, and detached with it', () => {
    const recorded = kernelWith();
    using live = loaded(recorded);
    live.attach();
    expect([...live.links.keys()]).toEqual(['ops']);
    expect(recorded.fake.links).toMatchObject([
      { via: 'link', attachType: BPF_ATTACH_TYPE.STRUCT_OPS, target: 'ops' },
    ]);
    live.detach();
    expect([recorded.fake.links, live.links.size]).toEqual([[], 0]);
  });

  it('is what kfuncs find that a program calls, once', () => {
    const recorded = kernelWith({}, '7.0');
    using live = loaded(recorded);
    using other = loaded(recorded);
    const ops = live.maps.get('ops') as StructOpsMap;
    const insns = new Uint8Array(16);
    const [fd, member] = [BPF_PROG_TYPE.SYSCALL, BPF_PROG_TYPE.STRUCT_OPS].map((type) =>
      recorded.fake.progLoad({ type, insns, license: 'GPL' }),
    );
    const program = { name: 'tick', fd: fd ?? -1 };
    expect(ops.associate(program).associate(program)).toBe(ops);
    const { id } = ops.info();
    expect(recorded.fake.programs.find(({ type }) => type === BPF_PROG_TYPE.SYSCALL)?.structOps?.id).toBe(id);
    expect(() => (other.maps.get('ops') as StructOpsMap).associate(program)).toThrow(
      'associate map "ops" with program "tick": the program is associated with another map, and stays so (EBUSY)',
    );
    expect(() => ops.associate({ name: 'update', fd: member ?? -1 })).toThrow(/of other types than SEC/);
  });

  it('is not associated with programs before Linux 7.0, and says so', () => {
    using live = loaded(kernelWith());
    const associate = () =>
      (live.maps.get('ops') as StructOpsMap).associate({
        name: 'tick',
        fd: live.progs.get('ops_update')?.fd ?? -1,
      });
    expect(associate).toThrow(/programs are associated with struct_ops since Linux 7\.0, and this is 6\./);
    expect(associate).toThrow(NotSupportedError);
  });

  it('tells how far it is', () => {
    using live = loaded(kernelWith());
    const ops = live.maps.get('ops') as StructOpsMap;
    expect(ops.state).toBe('init');
    ops.attach();
    expect(ops.state).toBe('ready');
  });

  it('without BPF_F_LINK is attached by its value alone, and detached by deleting it', () => {
    const recorded = kernelWith();
    const object = openOps({ spare: true });
    const ops = object.maps.get('ops');
    if (ops !== undefined) ops.autocreate = false;
    // Its two members share a program, which kernels verify once.
    const spare = object.maps.get('spare');
    const spec = { ...spare?.spec, slots: spare?.spec.slots.slice(1) };
    Object.defineProperty(spare ?? {}, 'spec', { value: spec });
    using live = loaded(recorded, object);
    live.attach();
    expect(recorded.fake.links).toEqual([]);
    expect(recorded.order).toContain('mapUpdate(spare)');
    expect(live.links.has('spare')).toBe(true);
    live.detach();
    expect(recorded.fake.calls).toContain('mapDelete');
  });
});

describe('programs of struct_ops', () => {
  it('load only when a map that is created uses them', () => {
    const recorded = kernelWith();
    const object = openOps();
    const ops = object.maps.get('ops');
    if (ops !== undefined) ops.autocreate = false;
    using live = loaded(recorded, object);
    expect([live.progs.has('ops_update'), object.progs.get('ops_update')?.autoload]).toEqual([false, false]);
  });

  it('load although they were switched off when one is', () => {
    const recorded = kernelWith();
    const object = openOps();
    for (const program of object.progs.values()) program.autoload = false;
    using live = loaded(recorded, object);
    expect([...live.progs.keys()]).toEqual(['ops_update']);
  });
});

describe('a kernel whose struct differs', () => {
  const without = (name: string) => moved.filter((member) => member.name !== name);
  const changed = (name: string, change: Partial<Member>) =>
    moved.map((member) => (member.name === name ? { ...member, ...change } : member));

  it.each([
    ['lacks the type', { name: 'their_ops' }, 'this kernel has no struct_ops of type my_ops'],
    [
      'lacks a member that is set',
      { members: without('flags') },
      'member flags of struct my_ops is set, and this kernel has no such member',
    ],
    [
      'lacks a member that a program implements',
      { members: without('update') },
      'member update of struct my_ops is set, and this kernel has no such member',
    ],
    [
      'has a member of another kind',
      { members: changed('flags', { type: callback }) },
      'member flags of struct my_ops is of kind int here and of kind ptr in the kernel',
    ],
    [
      'has a member of another size',
      { members: changed('name', { type: 3 }) },
      'member name of struct my_ops is of kind array here and of kind int in the kernel',
    ],
    [
      'has a bitfield',
      { members: changed('flags', { bit: 64, bits: 3 }) },
      'member flags of struct my_ops is a bitfield',
    ],
  ])('and %s is refused', (_name, struct, sentence) => {
    const recorded = kernelWith(struct);
    expect(() => loaded(recorded)).toThrow(NotSupportedError);
    expect(() => loaded(recorded)).toThrow(`create map "ops": ${sentence}`);
    expect(recorded.fake.openFds).toEqual([]);
  });

  it('and lacks a member that is zero is fine', () => {
    using live = loaded(kernelWith({ members: without('init') }));
    expect(live.progs.has('ops_update')).toBe(true);
  });
});
