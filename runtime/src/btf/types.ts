// The BTF kinds as data (Documentation/bpf/btf.rst). Kind names are libbpf's, in lower case.

export interface BtfVoid {
  readonly kind: 'void';
  readonly id: 0;
  readonly name: '';
}
export interface BtfInt {
  readonly kind: 'int';
  readonly id: number;
  readonly name: string;
  /** Bytes. */ readonly size: number;
  /** Bits actually used, and where they start: only old compilers make these differ from `size * 8` and 0. */
  readonly bits: number;
  readonly bitOffset: number;
  readonly signed: boolean;
  readonly char: boolean;
  readonly bool: boolean;
}
export interface BtfPtr {
  readonly kind: 'ptr';
  readonly id: number;
  readonly name: '';
  readonly type: number;
}
export interface BtfArray {
  readonly kind: 'array';
  readonly id: number;
  readonly name: '';
  readonly element: number;
  readonly index: number;
  readonly length: number;
}
export interface BtfMember {
  readonly name: string;
  readonly type: number;
  /** From the start of the struct, in bits. */ readonly bitOffset: number;
  /** Width of a bitfield in bits; 0 for an ordinary member. */ readonly bitSize: number;
}
export interface BtfComposite {
  readonly kind: 'struct' | 'union';
  readonly id: number;
  readonly name: string;
  readonly size: number;
  readonly members: readonly BtfMember[];
}
export interface BtfEnum {
  readonly kind: 'enum';
  readonly id: number;
  readonly name: string;
  readonly size: number;
  readonly signed: boolean;
  readonly values: readonly { readonly name: string; readonly value: number }[];
}
export interface BtfEnum64 {
  readonly kind: 'enum64';
  readonly id: number;
  readonly name: string;
  readonly size: number;
  readonly signed: boolean;
  readonly values: readonly { readonly name: string; readonly value: bigint }[];
}
export interface BtfFwd {
  readonly kind: 'fwd';
  readonly id: number;
  readonly name: string;
  readonly union: boolean;
}
export interface BtfModifier {
  readonly kind: 'typedef' | 'volatile' | 'const' | 'restrict' | 'type_tag';
  readonly id: number;
  readonly name: string;
  readonly type: number;
}
export type BtfLinkage = 'static' | 'global' | 'extern';
export interface BtfFunc {
  readonly kind: 'func';
  readonly id: number;
  readonly name: string;
  readonly type: number;
  readonly linkage: BtfLinkage;
}
export interface BtfFuncProto {
  readonly kind: 'func_proto';
  readonly id: number;
  readonly name: '';
  readonly returns: number;
  readonly params: readonly { readonly name: string; readonly type: number }[];
}
export interface BtfVar {
  readonly kind: 'var';
  readonly id: number;
  readonly name: string;
  readonly type: number;
  readonly linkage: BtfLinkage;
}
export interface BtfDatasec {
  readonly kind: 'datasec';
  readonly id: number;
  readonly name: string;
  readonly size: number;
  readonly vars: readonly { readonly type: number; readonly offset: number; readonly size: number }[];
}
export interface BtfFloat {
  readonly kind: 'float';
  readonly id: number;
  readonly name: string;
  readonly size: number;
}
export interface BtfDeclTag {
  readonly kind: 'decl_tag';
  readonly id: number;
  readonly name: string;
  readonly type: number;
  /** Index of the member or parameter the tag belongs to; -1 for the type itself. */ readonly component: number;
}

export type BtfType =
  | BtfVoid
  | BtfInt
  | BtfPtr
  | BtfArray
  | BtfComposite
  | BtfEnum
  | BtfEnum64
  | BtfFwd
  | BtfModifier
  | BtfFunc
  | BtfFuncProto
  | BtfVar
  | BtfDatasec
  | BtfFloat
  | BtfDeclTag;

export type BtfKind = BtfType['kind'];
