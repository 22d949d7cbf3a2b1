import { type AddressOf, Fields } from './fields.js';

/** Byte offsets in `struct bpf_link_info`, by type of link; a kernel test compares them with BTF. */
export const LINK_INFO = {
  /** Room for what is read here. */
  size: 64,
  type: 0,
  id: 4,
  prog_id: 8,
  raw_tracepoint: { tp_name: 16, tp_name_len: 24, cookie: 32 },
  tracing: { attach_type: 16, target_obj_id: 20, target_btf_id: 24, cookie: 32 },
  cgroup: { cgroup_id: 16, attach_type: 24 },
  iter: { target_name: 16, target_name_len: 24, map_id: 28, cgroup_id: 32, order: 40, tid: 32, pid: 36 },
  netns: { netns_ino: 16, attach_type: 20 },
  xdp: { ifindex: 16 },
  struct_ops: { map_id: 16 },
  netfilter: { pf: 16, hooknum: 20, priority: 24, flags: 28 },
  kprobe_multi: { addrs: 16, count: 24, flags: 28, missed: 32, cookies: 40 },
  uprobe_multi: {
    path: 16,
    offsets: 24,
    ref_ctr_offsets: 32,
    cookies: 40,
    path_size: 48,
    count: 52,
    flags: 56,
    pid: 60,
  },
  /**
   * The four sorts lie over each other: a name and its length, `config` and `type` of a bare event; then `offset`; then
   * cookie and ref_ctr_offset of uprobes; addr, missed and cookie of kprobes; cookie of tracepoints and of bare events.
   */
  perf_event: {
    type: 16,
    name: 24,
    config: 24,
    name_len: 32,
    event_type: 32,
    offset: 36,
    word_40: 40,
    word_48: 48,
    word_56: 56,
  },
  tcx: { ifindex: 16, attach_type: 20 },
  sockmap: { map_id: 16, attach_type: 20 },
} as const;

/** Runs BPF_OBJ_GET_INFO_BY_FD and says how many bytes of the structure this kernel knows. */
export type LinkAsk = (info: Fields) => number;

/** What is asked for besides what the structure itself holds. All numbers are byte offsets, of pointers and lengths. */
export interface LinkQuestion {
  /** A pointer to room for a text, and the size of that room. */
  readonly text?: readonly [pointer: number, size: number];
  /** How many elements there are, and where that is said. */
  readonly count?: readonly [offset: number, value: number];
  /** Pointers to room for `count` numbers of 64 bits. */
  readonly arrays?: readonly number[];
  /** Fields that not every kernel writes. */
  readonly marks?: readonly number[];
}

export const NO_QUESTION: LinkQuestion = {};

/** PATH_MAX: no name the kernel gives is longer. */
const TEXT_SIZE = 4096;
/** MAX_KPROBE_MULTI_CNT and its like: no link has more places. */
const MOST_PLACES = 1 << 20;
const UNWRITTEN = 0xffffffff;

/**
 * What the kernel answered about a link. It writes only the fields it knows, and the others stay as they were: those are
 * told apart by asking once with zeros in them and once with ones.
 */
export class LinkAnswer {
  readonly #first: Fields;
  readonly #second: Fields;
  readonly #known: number;
  readonly #text: Uint8Array | undefined;
  readonly #arrays: ReadonlyMap<number, BigUint64Array>;

  constructor(ask: LinkAsk, addressOf: AddressOf, first: Fields, known: number, question: LinkQuestion) {
    this.#first = first;
    this.#second = first;
    this.#known = known;
    this.#arrays = new Map();
    if (question === NO_QUESTION) return;
    const { text, count, arrays = [], marks = [] } = question;
    const second = new Fields(LINK_INFO.size, addressOf);
    for (const mark of marks) if (mark + 4 <= known) second.u32(mark, UNWRITTEN);
    if (text !== undefined && Math.max(text[0] + 8, text[1] + 4) <= known) {
      this.#text = new Uint8Array(TEXT_SIZE).fill(0xff);
      second.pointer(text[0], this.#text).u32(text[1], TEXT_SIZE);
    }
    if (count !== undefined && count[1] > 0 && count[1] <= MOST_PLACES) {
      const fits = arrays.filter((pointer) => pointer + 8 <= known);
      this.#arrays = new Map(
        fits.map((pointer) => [pointer, new BigUint64Array(count[1]).fill(UNWRITTEN_WORD)]),
      );
      for (const [pointer, room] of this.#arrays) second.u64s(pointer, room);
      second.u32(count[0], count[1]);
    }
    ask(second);
    second.release();
    this.#second = second;
  }

  /** A field that every kernel with such links writes. */
  u32(offset: number): number {
    return this.#second.readU32(offset);
  }

  u64(offset: number): bigint {
    return this.#second.readU64(offset);
  }

  /** Those of these fields that this kernel wrote. */
  told32<Name extends string>(fields: Readonly<Record<Name, number>>): Partial<Record<Name, number>> {
    return this.#told(fields, (offset) => this.u32(offset));
  }

  told64<Name extends string>(fields: Readonly<Record<Name, number>>): Partial<Record<Name, bigint>> {
    return this.#told(fields, (offset) => this.u64(offset));
  }

  /** Undefined when this kernel wrote none. */
  get text(): string | undefined {
    if (this.#text === undefined || this.#text[0] === 0xff) return undefined;
    const end = this.#text.indexOf(0);
    return new TextDecoder().decode(end < 0 ? this.#text : this.#text.subarray(0, end));
  }

  /** The numbers behind a pointer; undefined when this kernel wrote none. */
  array(pointer: number): readonly bigint[] | undefined {
    const numbers = this.#arrays.get(pointer);
    return numbers?.some((number) => number !== UNWRITTEN_WORD) ? Array.from(numbers) : undefined;
  }

  #told<Name extends string, Value>(
    fields: Readonly<Record<Name, number>>,
    read: (offset: number) => Value,
  ): Partial<Record<Name, Value>> {
    const told: Partial<Record<Name, Value>> = {};
    for (const name of Object.keys(fields) as Name[]) {
      const offset = fields[name];
      if (this.#isWritten(offset)) told[name] = read(offset);
    }
    return told;
  }

  #isWritten(offset: number): boolean {
    if (offset + 4 > this.#known) return false;
    return this.#second.readU32(offset) !== UNWRITTEN || this.#first.readU32(offset) === UNWRITTEN;
  }
}

/** Chosen once at random: neither an address nor an offset, and no cookie that anybody gives. */
const UNWRITTEN_WORD = 0xe4b1_7c5d_93a8_06f2n;
