import type { Codec } from '../codec/codec.js';
import type { Fd, Kernel, ProgInfo, TestRun, TestRunResult } from '../kernel/kernel.js';
import type { Link } from '../link/link.js';
import type { UsdtSpecs } from '../link/usdt-specs.js';
import { inspect, type Print, printed } from '../printed.js';
import { type Runnable, testRun } from './test-run.js';

/** What a loaded program is given by its object. */
export interface ProgramHandle {
  readonly kernel: Kernel;
  /** The C function's name. */
  readonly name: string;
  /** What SEC() says, for example `kprobe/do_unlinkat`. */
  readonly section: string;
  /** What follows the first `/` of the section; empty when nothing does. */
  readonly target: string;
  readonly expectedAttachType: number;
  /** The function it was loaded to replace: a type id in the BTF of another program. */
  readonly replaces?: { readonly program: Fd; readonly btfId: number };
  /** What its C parameter points to, where a skeleton states it. */
  readonly context?: Codec<unknown>;
  /** The live descriptor; throws ERR_BPF_STATE once the object is destroyed. */
  fd(): Fd;
  /** What the object keeps of its USDT probes. */
  usdt?(): UsdtSpecs;
  /** Makes the object keep `link` alive and detach it in destroy(). Returns it. */
  own(link: Link): Link;
}

/** A program in the kernel. Each kind adds its own `attach`. */
export class Program {
  protected readonly handle: ProgramHandle;

  constructor(handle: ProgramHandle) {
    this.handle = handle;
  }

  get name(): string {
    return this.handle.name;
  }

  get section(): string {
    return this.handle.section;
  }

  /** What follows the first `/` of SEC(): what the program is for, or empty. */
  get target(): string {
    return this.handle.target;
  }

  /** The program's descriptor, owned by the skeleton: do not close it. */
  get fd(): Fd {
    return this.handle.fd();
  }

  /** What the kernel says of the program: id, tag, sizes. */
  info(): ProgInfo {
    return this.handle.kernel.progInfo(this.fd);
  }

  /**
   * Runs the program in the kernel on given bytes, without attaching it. Linux 4.12, some kinds only; those have a `run`
   * of their own with types.
   * @throws NotSupportedError that says which kinds this kernel runs, BpfError
   */
  testRun(run: TestRun = {}): TestRunResult {
    return testRun(this.runnable(), run);
  }

  [inspect](depth: number, options: object, print: Print): string {
    const { name, section } = this;
    return printed(this, name, { name, section }, depth, options, print);
  }

  /** What running the program takes. */
  protected runnable(): Runnable {
    return { kernel: this.handle.kernel, name: this.name, section: this.section, fd: this.fd };
  }
}

/** One row of libbpf's section table (libbpf.c, section_defs). */
export interface SectionRule {
  /** `xdp` matches exactly; `kprobe+` matches `kprobe` and `kprobe/...`. */
  readonly match: string;
  /** `enum bpf_prog_type`. */
  readonly type: number;
  /** `enum bpf_attach_type`; 0 when there is none. */
  readonly attachType?: number;
  /** Older kernels load it without an expected attach type. */
  readonly attachTypeOptional?: boolean;
  readonly sleepable?: boolean;
  /** BPF_F_XDP_HAS_FRAGS. */
  readonly frags?: boolean;
  /** Loaded as TRACE_UPROBE_MULTI where the kernel has such links (Linux 6.6). */
  readonly usdt?: boolean;
  /** Set when the section's target is a kernel type or function whose BTF id the load needs. */
  readonly attachBtf?: AttachBtf;
}

/** How the name in a section becomes the name of a kernel type. */
export interface AttachBtf {
  readonly prefix: '' | 'btf_trace_' | 'bpf_lsm_' | 'bpf_iter_';
  readonly kind: 'func' | 'typedef';
}

/** A program kind: the sections it claims and the class its programs get. */
export interface ProgramKind<P extends Program = Program> {
  /** Name under which the codegen entry exports the kind. */
  readonly kindName: string;
  readonly sections: readonly SectionRule[];
  readonly program: new (handle: ProgramHandle) => P;
  /** True when skeletons state what the C parameter of its programs points to. */
  readonly typedContext?: boolean;
  /** What `skel.attach()` does for one program: undefined when SEC() alone does not say where to attach. */
  autoAttach?(program: P): Link | undefined;
}

/** A program as a skeleton states it: its kind and its section. */
export interface ProgramShape<P extends Program = Program> {
  readonly kind: ProgramKind<P>;
  readonly section: string;
  /** Of what its C parameter points to. */
  readonly context?: Codec<unknown>;
}

const kindMark: unique symbol = Symbol('ProgramKind');

/** What {@link kind} makes: called by skeletons (`kprobe('kprobe/do_unlinkat')`), read by `kindOf`. */
export interface DeclaredKind<P extends Program = Program> {
  (section: string): ProgramShape<P>;
  readonly [kindMark]: ProgramKind<P>;
}

/** Declares a kind. */
export function kind<P extends Program>(definition: ProgramKind<P>): DeclaredKind<P> {
  return Object.assign((section: string): ProgramShape<P> => ({ kind: definition, section }), {
    [kindMark]: definition,
  });
}

/** What the export of a kind carries besides being called. */
export interface DeclaresProgramKind {
  readonly [kindMark]: ProgramKind;
}

/** Declares a kind whose call in a skeleton may take a codec besides the section; `shape` types that call. */
export function kindWithContext<P extends Program, Shape extends (section: string) => ProgramShape>(
  definition: ProgramKind<P>,
  shape: (kind: ProgramKind<P>) => Shape,
): Shape & DeclaresProgramKind {
  return Object.assign(shape(definition), { [kindMark]: definition });
}

/** The kind an export of `program/index.ts` declares, if it is one. */
export function kindIn(exported: unknown): ProgramKind | undefined {
  return typeof exported === 'function' && kindMark in exported
    ? (exported[kindMark] as ProgramKind)
    : undefined;
}
