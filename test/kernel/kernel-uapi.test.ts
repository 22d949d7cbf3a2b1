import { beforeAll, describe, expect, it } from 'vitest';
import { Btf } from '../../runtime/src/btf/btf.js';
import { ATTR } from '../../runtime/src/kernel/attr.js';
import { INFO } from '../../runtime/src/kernel/info.js';
import { LINK_INFO } from '../../runtime/src/kernel/link-answer.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { PERF_ATTR } from '../../runtime/src/kernel/perf-event.js';
import * as uapi from '../../runtime/src/uapi.js';

let btf: Btf;
beforeAll(() => {
  const bytes = linuxKernel().readFile('/sys/kernel/btf/vmlinux');
  if (bytes === undefined) throw new Error('this kernel has no BTF');
  btf = Btf.parse(bytes);
});

/** Every enumerator of the kernel. */
function enumerators(): Map<string, number> {
  const found = new Map<string, number>();
  for (let id = btf.firstId; id < btf.endId; id++) {
    if (btf.kind(id) !== 'enum') continue;
    const type = btf.type(id);
    if (type.kind !== 'enum') continue;
    for (const { name, value } of type.values) found.set(name, value);
  }
  return found;
}

function valuesOf(name: string): Map<string, number> {
  const type = btf.type(btf.find(name, 'enum') ?? 0);
  if (type.kind !== 'enum') throw new Error(`the kernel has no enum ${name}`);
  return new Map(type.values.map((entry) => [entry.name, entry.value]));
}

describe('constants agree with this kernel', () => {
  const lists: [enumName: string, prefix: string, list: Readonly<Record<string, number>>, except: RegExp][] =
    [
      ['bpf_cmd', 'BPF_', uapi.BPF_CMD, /^BPF_PROG_RUN$/],
      ['bpf_map_type', 'BPF_MAP_TYPE_', uapi.BPF_MAP_TYPE, /_DEPRECATED$/],
      ['bpf_prog_type', 'BPF_PROG_TYPE_', uapi.BPF_PROG_TYPE, /^$/],
      ['bpf_attach_type', 'BPF_', uapi.BPF_ATTACH_TYPE, /^$/],
      ['bpf_link_type', 'BPF_LINK_TYPE_', uapi.BPF_LINK_TYPE, /^$/],
    ];

  it.each(lists)('enum %s, none left out', (name, prefix, list, except) => {
    const theirs = [...valuesOf(name)].filter(([key]) => !/^_|^MAX_/.test(key) && !except.test(key));
    const ours = Object.fromEntries(theirs.map(([key]) => [key, list[key.slice(prefix.length)]]));
    expect(ours).toEqual(Object.fromEntries(theirs));
  });

  it('flags and lone values', () => {
    const theirs = enumerators();
    const shared = Object.entries(uapi).flatMap(([name, value]) => {
      const known = theirs.get(name);
      const isNumber = typeof value === 'number' || typeof value === 'bigint';
      return known === undefined || !isNumber ? [] : [[name, Number(value), known] as const];
    });
    expect(shared.length).toBeGreaterThan(25);
    // BTF of a signed enum shows 1 << 31 as negative.
    expect(shared.map(([name, ours]) => [name, ours | 0])).toEqual(
      shared.map(([name, , known]) => [name, known | 0]),
    );
  });
});

/** Byte offset of a member that may lie in anonymous structs; undefined when there is none. */
function offsetOf(typeId: number, [name, ...rest]: readonly string[]): number | undefined {
  if (name === undefined) return 0;
  const type = btf.resolve(typeId);
  if (type.kind !== 'struct' && type.kind !== 'union') return undefined;
  for (const member of type.members) {
    const inner =
      member.name === name
        ? offsetOf(member.type, rest)
        : member.name === ''
          ? offsetOf(member.type, [name, ...rest])
          : undefined;
    if (inner !== undefined) return member.bitOffset / 8 + inner;
  }
  return undefined;
}

/** Where the fields of iterators lie: in a union of what they go over. */
const inUnion = (field: string): readonly string[] =>
  ({ map_id: ['map', field], order: ['cgroup', field], tid: ['task', field], pid: ['task', field] })[
    field
  ] ?? [field];

describe('byte offsets agree with this kernel', () => {
  // Where the commands' fields lie: an anonymous struct of the union, found by a field it alone has, or a named one.
  const commands: [command: keyof typeof ATTR, member: string | undefined][] = [
    ['mapCreate', undefined],
    ['element', undefined],
    ['batch', 'batch'],
    ['progLoad', undefined],
    ['object', undefined],
    ['test', 'test'],
    ['info', 'info'],
    ['rawTracepoint', 'raw_tracepoint'],
    ['btfLoad', undefined],
    ['linkCreate', 'link_create'],
    ['linkUpdate', 'link_update'],
    ['iterCreate', 'iter_create'],
    ['progQuery', 'query'],
    ['progBindMap', 'prog_bind_map'],
    ['progAttach', undefined],
    ['nextId', undefined],
  ];
  const uprobeMulti = ['path', 'offsets', 'ref_ctr_offsets', 'cookies', 'cnt', 'flags', 'pid'];
  const nested: Readonly<Record<string, readonly string[]>> = {
    perf_event_cookie: ['perf_event', 'bpf_cookie'],
    tracing_target_btf_id: ['tracing', 'target_btf_id'],
    tracing_cookie: ['tracing', 'cookie'],
    tcx_relative_fd: ['tcx', 'relative_fd'],
    tcx_expected_revision: ['tcx', 'expected_revision'],
    netfilter_pf: ['netfilter', 'pf'],
    netfilter_hooknum: ['netfilter', 'hooknum'],
    netfilter_priority: ['netfilter', 'priority'],
    netfilter_flags: ['netfilter', 'flags'],
    ...Object.fromEntries(uprobeMulti.map((name) => [`uprobe_multi_${name}`, ['uprobe_multi', name]])),
    kprobe_multi_flags: ['kprobe_multi', 'flags'],
    kprobe_multi_cnt: ['kprobe_multi', 'cnt'],
    kprobe_multi_syms: ['kprobe_multi', 'syms'],
    kprobe_multi_addrs: ['kprobe_multi', 'addrs'],
    kprobe_multi_cookies: ['kprobe_multi', 'cookies'],
  };
  const since: Readonly<Record<string, number>> = {
    ...Object.fromEntries(
      uprobeMulti.map((name) => [`uprobe_multi_${name}`, uapi.kernelVersion(6, 6)] as const),
    ),
    cookie: uapi.kernelVersion(6, 10),
    excl_prog_hash: uapi.kernelVersion(6, 18),
    excl_prog_hash_size: uapi.kernelVersion(6, 18),
    log_true_size: uapi.kernelVersion(6, 4),
    value_type_btf_obj_fd: uapi.kernelVersion(6, 9),
    map_token_fd: uapi.kernelVersion(6, 9),
    prog_token_fd: uapi.kernelVersion(6, 9),
    target_ifindex: uapi.kernelVersion(6, 6),
    link_ids: uapi.kernelVersion(6, 6),
    link_attach_flags: uapi.kernelVersion(6, 6),
    revision: uapi.kernelVersion(6, 6),
    tcx_relative_fd: uapi.kernelVersion(6, 6),
    tcx_expected_revision: uapi.kernelVersion(6, 6),
    netfilter_pf: uapi.kernelVersion(6, 4),
    netfilter_hooknum: uapi.kernelVersion(6, 4),
    netfilter_priority: uapi.kernelVersion(6, 4),
    netfilter_flags: uapi.kernelVersion(6, 4),
    relative_fd: uapi.kernelVersion(6, 6),
    expected_revision: uapi.kernelVersion(6, 6),
  };
  const inThisKernel = (name: string): boolean => linuxKernel().version >= (since[name] ?? 0);

  it.each(commands)('of %s', (command, member) => {
    const union = btf.find('bpf_attr', 'union') ?? 0;
    const fields = Object.entries<number>(ATTR[command]).filter(([name]) => inThisKernel(name));
    const path = (name: string) => [...(member === undefined ? [] : [member]), ...(nested[name] ?? [name])];
    expect(fields.map(([name]) => [name, offsetOf(union, path(name))])).toEqual(fields);
  });

  it.each([
    ['bpf_map_info', INFO.map],
    ['bpf_prog_info', INFO.prog],
    ['bpf_btf_info', INFO.btf],
  ] as const)('of struct %s', (name, table) => {
    const id = btf.find(name, 'struct') ?? 0;
    const fields = Object.entries<number>(table);
    expect(fields.map(([field]) => [field, offsetOf(id, [field])])).toEqual(fields);
  });

  it('of struct bpf_link_info, as far as this kernel has it', () => {
    const id = btf.find('bpf_link_info', 'struct') ?? 0;
    const arms = Object.entries(LINK_INFO).flatMap(([arm, table]) =>
      typeof table === 'number' || arm === 'perf_event'
        ? []
        : Object.entries<number>(table).map(([field, at]) => ({ path: [arm, ...inUnion(field)], at })),
    );
    const { perf_event: event } = LINK_INFO;
    const lone = (['type', 'id', 'prog_id'] as const).map((field) => ({
      path: [field],
      at: LINK_INFO[field],
    }));
    const events: [path: string[], at: number][] = [
      [['type'], event.type],
      [['uprobe', 'file_name'], event.name],
      [['uprobe', 'name_len'], event.name_len],
      [['uprobe', 'offset'], event.offset],
      [['uprobe', 'cookie'], event.word_40],
      [['uprobe', 'ref_ctr_offset'], event.word_48],
      [['kprobe', 'func_name'], event.name],
      [['kprobe', 'name_len'], event.name_len],
      [['kprobe', 'offset'], event.offset],
      [['kprobe', 'addr'], event.word_40],
      [['kprobe', 'missed'], event.word_48],
      [['kprobe', 'cookie'], event.word_56],
      [['tracepoint', 'tp_name'], event.name],
      [['tracepoint', 'name_len'], event.name_len],
      [['tracepoint', 'cookie'], event.word_40],
      [['event', 'config'], event.config],
      [['event', 'type'], event.event_type],
      [['event', 'cookie'], event.word_40],
    ];
    const all = [...lone, ...arms, ...events.map(([path, at]) => ({ path: ['perf_event', ...path], at }))];
    const here = all.filter(({ path }) => offsetOf(id, path) !== undefined);
    expect(here.length).toBeGreaterThan(15);
    expect(here.map(({ path }) => [path, offsetOf(id, path)])).toEqual(
      here.map(({ path, at }) => [path, at]),
    );
  });

  it('of struct perf_event_attr', () => {
    const id = btf.find('perf_event_attr', 'struct') ?? 0;
    const fields = Object.entries<number>(PERF_ATTR);
    const named = (field: string) => [field === 'bits' ? 'disabled' : field];
    expect(fields.map(([field]) => [field, offsetOf(id, named(field))])).toEqual(fields);
  });
});
