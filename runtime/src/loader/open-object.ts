import { BpfError, printable } from '../errors.js';
import type { MapSpec, ObjectSpec } from '../object/spec.js';
import { inspect, type Print, printed } from '../printed.js';
import { BPF_MAP_TYPE, BPF_PROG_TYPE } from '../uapi.js';
import { OpenProgram } from './open-program.js';
import { resizedSpec } from './resized-section.js';

/** One map of an object that is not in the kernel yet: what can still be changed about it. */
export class OpenMap {
  readonly #owner: OpenObject;
  readonly #declared: MapSpec;
  #type: number;
  #maxEntries: number;
  #valueSize: number;
  #autocreate: boolean;
  /** Programs of a struct_ops map by member, as they were set. */
  readonly #callbacks = new Map<number, OpenProgram | null>();
  #pinPath: string | undefined;
  #exclusiveProgram: OpenProgram | undefined;

  constructor(owner: OpenObject, spec: MapSpec) {
    this.#owner = owner;
    this.#declared = spec;
    this.#type = spec.type;
    this.#maxEntries = spec.maxEntries;
    this.#valueSize = spec.valueSize;
    this.#autocreate = spec.autocreate;
  }

  /** As declared, but for the type, and the size of a data section. */
  get spec(): MapSpec {
    if (this.#valueSize !== this.#declared.valueSize) {
      return resizedSpec(this.#owner.spec.btf, this.#declared, this.#valueSize);
    }
    if (this.#callbacks.size > 0) return { ...this.#declared, slots: this.#slots() };
    if (!this.retyped) return this.#declared;
    return { ...this.#declared, type: this.#type, ...sizesOf(this.#type) };
  }

  get name(): string {
    return this.#declared.name;
  }

  /**
   * `enum bpf_map_type`. Another than the declared one is for kernels that lack that, where the programs can do with it
   * (libbpf: bpf_map__set_type): a BPF_MAP_TYPE_RINGBUF may become a BPF_MAP_TYPE_PERF_EVENT_ARRAY, which gives the same
   * records through `subscribe`, `records` and `consume`. Sizes that the kernel prescribes for the type go with it; a ring
   * buffer that becomes a perf event array has a slot for each CPU, unless `maxEntries` is set afterwards.
   * @throws BpfError ERR_BPF_ARGUMENT for a type that is not known, and for maps that hold global data or struct_ops
   */
  get type(): number {
    return this.#type;
  }

  set type(type: number) {
    const what = `set type of map "${printable(this.name)}"`;
    this.#owner.assertOpen(what);
    if (type === BPF_MAP_TYPE.UNSPEC || !Object.values<number>(BPF_MAP_TYPE).includes(type)) {
      throw new BpfError('ERR_BPF_ARGUMENT', `${what}: ${type} is no map type; see BPF_MAP_TYPE`);
    }
    if (this.#declared.origin !== 'btf' && this.#declared.origin !== 'legacy') {
      throw new BpfError(
        'ERR_BPF_ARGUMENT',
        `${what}: it holds a section of the object, which no other type can`,
      );
    }
    // Bytes are no number of CPUs.
    if (type === BPF_MAP_TYPE.PERF_EVENT_ARRAY && this.#type === BPF_MAP_TYPE.RINGBUF) this.#maxEntries = 0;
    else if (type === this.#declared.type && this.#maxEntries === 0)
      this.#maxEntries = this.#declared.maxEntries;
    this.#type = type;
  }

  /** True when the type is not the declared one. */
  get retyped(): boolean {
    return this.#type !== this.#declared.type;
  }

  /** Capacity in entries; for ring buffers in bytes, rounded up to what the kernel takes. */
  get maxEntries(): number {
    return this.#maxEntries;
  }

  set maxEntries(entries: number) {
    this.#owner.assertOpen(`set maxEntries of map "${printable(this.name)}"`);
    if (!Number.isInteger(entries) || entries < 0 || entries > 0xffffffff) {
      throw new BpfError(
        'ERR_BPF_ARGUMENT',
        `set maxEntries of map "${printable(this.name)}": ${entries} is not a whole number of 32 bits`,
      );
    }
    this.#maxEntries = entries;
  }

  /**
   * Bytes of a value. That of a section of global data, such as `.data.samples`, can be set, for a last variable that is
   * an array and shall have more elements, or fewer (libbpf: bpf_map__set_value_size). The kernel is told the type of
   * the array as it is then; a section that ends otherwise, or with a part of an element, goes without types.
   * @throws BpfError ERR_BPF_ARGUMENT for maps of other kinds, whose types skeletons state, and for sizes that are none
   */
  get valueSize(): number {
    return this.spec.valueSize;
  }

  set valueSize(bytes: number) {
    const what = `set valueSize of map "${printable(this.name)}"`;
    this.#owner.assertOpen(what);
    if (this.#declared.origin !== 'data') {
      throw new BpfError('ERR_BPF_ARGUMENT', `${what}: only sections of global data can get another size`);
    }
    if (!Number.isInteger(bytes) || bytes <= 0 || bytes > 0x7fffffff) {
      throw new BpfError(
        'ERR_BPF_ARGUMENT',
        `${what}: ${bytes} is no number of bytes that a section can have`,
      );
    }
    this.#owner.resizeImage(this.name, bytes);
    this.#valueSize = bytes;
  }

  /**
   * Where the map is pinned: load() uses the map that is there, or creates and pins it. Undefined: nowhere, unless its
   * declaration asks for LIBBPF_PIN_BY_NAME.
   */
  get pinPath(): string | undefined {
    return this.#pinPath;
  }

  set pinPath(path: string | undefined) {
    this.#owner.assertOpen(`set pinPath of map "${printable(this.name)}"`);
    this.#pinPath = path;
  }

  /** The program that implements a member of a struct_ops map; null where none does. */
  callback(member: number): OpenProgram | null {
    const slot = this.spec.slots.find(({ index }) => index === member);
    return (slot && this.#owner.progs.get(slot.name)) ?? null;
  }

  /**
   * Lets a program implement a member of a struct_ops map, or none (libbpf: the shadow type of the map). `path` is how
   * errors call the member.
   * @throws BpfError ERR_BPF_ARGUMENT for a program of another object or kind
   */
  setCallback(member: number, program: OpenProgram | null, path: string): void {
    const what = `set ${printable(path)}`;
    this.#owner.assertOpen(what);
    if (program !== null) this.#assertCallback(program, what);
    this.#callbacks.set(member, program);
  }

  /**
   * The one program that may use the map: the kernel refuses to load any other with it. Programs are told apart by a hash
   * of their instructions, which is made when the map is created. As libbpf's bpf_map__set_exclusive_program. Linux 6.18.
   * @throws BpfError ERR_BPF_ARGUMENT for a program of another object
   */
  get exclusiveProgram(): OpenProgram | undefined {
    return this.#exclusiveProgram;
  }

  set exclusiveProgram(program: OpenProgram | undefined) {
    const what = `set exclusiveProgram of map "${printable(this.name)}"`;
    this.#owner.assertOpen(what);
    if (program !== undefined) this.#assertProgram(program, what, 'undefined');
    this.#exclusiveProgram = program;
  }

  #assertProgram(program: unknown, what: string, none: string): asserts program is OpenProgram {
    if (!(program instanceof OpenProgram)) {
      const why = `it takes a program of the object that is open, or ${none}`;
      throw new BpfError('ERR_BPF_ARGUMENT', `${what}: ${why}`);
    }
    if (this.#owner.progs.get(program.name) !== program) {
      const why = `program "${printable(program.name)}" is of another object, or another open()`;
      throw new BpfError('ERR_BPF_ARGUMENT', `${what}: ${why}`);
    }
  }

  #assertCallback(program: unknown, what: string): void {
    this.#assertProgram(program, what, 'null');
    const name = printable(program.name);
    if (program.meaning?.rule.type === BPF_PROG_TYPE.STRUCT_OPS) return;
    throw new BpfError(
      'ERR_BPF_ARGUMENT',
      `${what}: program "${name}" is SEC("${printable(program.section)}"); members of struct_ops are SEC("struct_ops") programs`,
    );
  }

  #slots(): MapSpec['slots'] {
    const declared = this.#declared.slots.filter(({ index }) => !this.#callbacks.has(index));
    const set = [...this.#callbacks].flatMap(([index, program]) =>
      program === null ? [] : [{ index, kind: 'program' as const, name: program.name }],
    );
    return [...declared, ...set].sort((a, b) => a.index - b.index);
  }

  /** False leaves the map out; programs that use it then fail to load. */
  get autocreate(): boolean {
    return this.#autocreate;
  }

  set autocreate(create: boolean) {
    this.#owner.assertOpen(`set autocreate of map "${printable(this.name)}"`);
    this.#autocreate = create;
  }

  [inspect](depth: number, options: object, print: Print): string {
    const { name, maxEntries } = this;
    const { keySize, valueSize } = this.spec;
    return printed(this, name, { name, keySize, valueSize, maxEntries }, depth, options, print);
  }
}

/** Key and value sizes that the kernel wants for a type, where there is no choice. */
function sizesOf(type: number): { keySize: number; valueSize: number } | undefined {
  switch (type) {
    case BPF_MAP_TYPE.PERF_EVENT_ARRAY:
      return { keySize: 4, valueSize: 4 };
    case BPF_MAP_TYPE.RINGBUF:
    case BPF_MAP_TYPE.USER_RINGBUF:
      return { keySize: 0, valueSize: 0 };
    default:
      return undefined;
  }
}

function zeros(bytes: number, name: string): Uint8Array {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw new BpfError('ERR_BPF_TOO_BIG', `no memory for the ${bytes} bytes of "${printable(name)}"`, {
      cause,
    });
  }
}

/** An object between open and load: nothing of it is in the kernel. */
export class OpenObject implements Disposable {
  /** File name without `.bpf.o` or `.o`; the kernel shows its first letters in the names of data maps. */
  readonly name: string;
  readonly spec: ObjectSpec;
  readonly maps: ReadonlyMap<string, OpenMap>;
  readonly progs: ReadonlyMap<string, OpenProgram>;
  readonly #data: Map<string, Uint8Array>;
  #state: 'open' | 'loaded' | 'destroyed' = 'open';

  constructor(name: string, spec: ObjectSpec) {
    this.name = name;
    this.spec = spec;
    this.maps = new Map(spec.maps.map((map) => [map.name, new OpenMap(this, map)]));
    this.progs = new Map(spec.programs.map((program) => [program.name, new OpenProgram(this, program)]));
    this.#data = new Map(
      spec.maps.flatMap(({ section, name }) => (section ? [[name, section.bytes.slice()] as const] : [])),
    );
  }

  /** Initial contents of the data sections, by section name; writable until load(). */
  get data(): ReadonlyMap<string, Uint8Array> {
    return this.#data;
  }

  /** Gives the contents of a section another length; zeros are added at the end. For {@link OpenMap.valueSize}. */
  resizeImage(name: string, bytes: number): void {
    const old = this.#data.get(name) ?? new Uint8Array();
    const image = zeros(bytes, name);
    image.set(old.subarray(0, bytes));
    this.#data.set(name, image);
  }

  /** Throws ERR_BPF_STATE unless the object still waits to be loaded. */
  assertOpen(what: string): void {
    if (this.#state === 'open') return;
    throw new BpfError(
      'ERR_BPF_STATE',
      this.#state === 'loaded'
        ? `${what}: ${printable(this.name)} is already loaded; do it between open() and load()`
        : `${what}: ${printable(this.name)} is destroyed`,
    );
  }

  /** Marks the object as used up by load(). */
  markLoaded(): void {
    this.assertOpen('load');
    this.#state = 'loaded';
  }

  /** Gives the object up without loading it. Idempotent; does not touch what load() returned. */
  destroy(): void {
    if (this.#state === 'open') this.#state = 'destroyed';
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}
