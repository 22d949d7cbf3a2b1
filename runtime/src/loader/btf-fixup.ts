// What becomes of an object's BTF between the file and BPF_BTF_LOAD. Ids never change: function information and CO-RE
// relocations count on them.

import type { Btf } from '../btf/btf.js';
import type { BtfDatasec } from '../btf/types.js';
import { BpfError } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import type { ObjectSpec } from '../object/spec.js';
import { BtfEditor, Word } from './btf-editor.js';
import {
  btfDatasec,
  btfDeclTag,
  btfEnum64,
  btfFloat,
  btfFunc,
  btfFuncGlobal,
  btfQuestionMark,
  btfTypeTag,
  type Feature,
  supports,
} from './features.js';
import { type ResizedSections, resizeSections } from './resized-section.js';
import { Kind, typeInfo } from './tiny-btf.js';

const STATIC = 0;
const GLOBAL = 1;

/** Does the kernel have a feature? Asked only for what the object's BTF has. */
export type Supports = (feature: Feature) => boolean;

/**
 * The object's BTF as this kernel takes it. Offsets of variables are filled in already.
 * @throws BpfError when the object has no BTF, or its BTF contradicts itself
 */
export function fixUpBtf(
  spec: Pick<ObjectSpec, 'btf' | 'functions'>,
  kernel: Kernel,
  has: Supports = (feature) => supports(feature, kernel),
  resized: ResizedSections = new Map(),
): Uint8Array {
  if (spec.btf === undefined) throw new BpfError('ERR_BPF_NO_BTF', 'the object has no BTF');
  const editor = new BtfEditor(spec.btf);
  makeHiddenStatic(editor, new Set(spec.functions.filter(({ hidden }) => hidden).map(({ name }) => name)));
  const ksyms = spec.btf.find('.ksyms', 'datasec');
  if (ksyms !== undefined) defineKernelSymbols(editor, ksyms, has);
  // Kernels without sections in BTF take the maps without types anyway.
  if (resized.size > 0 && has(btfDatasec)) resizeSections(editor, resized);
  sanitize(editor, has);
  return editor.bytes();
}

/**
 * The verifier checks a global function alone, for any arguments, but a hidden one together with its callers (libbpf:
 * bpf_object__sanitize_and_load_btf).
 */
function makeHiddenStatic(editor: BtfEditor, hidden: Set<string>): void {
  const { btf } = editor;
  for (let id = btf.firstId; id < btf.endId && hidden.size > 0; id++) {
    if (btf.kind(id) !== 'func' || linkage(editor, id) !== GLOBAL || !hidden.delete(btf.name(id))) continue;
    editor.setWord(id, Word.INFO, typeInfo(Kind.FUNC, STATIC));
  }
}

function linkage(editor: BtfEditor, id: number): number {
  return editor.word(id, Word.INFO) & 0xffff;
}

/**
 * Kernels take no section of undefined symbols, so `.ksyms` becomes one of 4-byte ints: variables change their type,
 * functions give their place to a dummy (libbpf: bpf_object__collect_externs).
 */
function defineKernelSymbols(editor: BtfEditor, sectionId: number, has: Supports): void {
  const { btf } = editor;
  const section = btf.type(sectionId);
  if (section.kind !== 'datasec') return;
  const int = findInt(btf) ?? editor.addInt(editor.addString('int'), 4);
  let dummy: { name: number; id: number } | undefined;
  section.vars.forEach(({ type: id }, index) => {
    const entry = Word.DATA + index * 3;
    const symbol = btf.type(id);
    if (symbol.kind === 'func') {
      if (dummy === undefined) {
        const name = editor.addString('dummy_ksym');
        dummy = { name, id: has(btfDatasec) ? editor.addVariable(name, int) : editor.addInt(name, 1) };
      }
      nameParameters(editor, symbol.type, dummy.name);
      editor.setWord(id, Word.INFO, typeInfo(Kind.FUNC, GLOBAL));
      editor.setWord(sectionId, entry, dummy.id);
    } else if (symbol.kind === 'var') {
      editor.setWord(id, Word.SIZE_OR_TYPE, int);
      editor.setWord(id, Word.DATA, GLOBAL);
    } else {
      throw btf.malformed(sectionId, `.ksyms holds a ${symbol.kind}`);
    }
    editor.setWord(sectionId, entry + 1, index * 4);
    editor.setWord(sectionId, entry + 2, 4);
  });
  editor.setWord(sectionId, Word.SIZE_OR_TYPE, section.vars.length * 4);
}

function findInt(btf: Btf): number | undefined {
  for (let id = btf.firstId; id < btf.endId; id++) {
    if (btf.kind(id) !== 'int') continue;
    const type = btf.type(id);
    if (type.kind === 'int' && type.bits === 32) return id;
  }
  return undefined;
}

/** Declarations may leave parameters without names; the kernel wants them in functions that are defined. */
function nameParameters(editor: BtfEditor, prototypeId: number, name: number): void {
  const prototype = editor.btf.type(prototypeId);
  if (prototype.kind !== 'func_proto') {
    throw editor.btf.malformed(prototypeId, `a function cannot have this ${prototype.kind} as its type`);
  }
  prototype.params.forEach(({ type }, index) => {
    const word = Word.DATA + index * 2;
    if (type !== 0 && editor.word(prototypeId, word) === 0) editor.setWord(prototypeId, word, name);
  });
}

/** Replaces what an older kernel does not know by what it takes for the same (libbpf: bpf_object__sanitize_btf). */
function sanitize(editor: BtfEditor, has: Supports): void {
  const { btf } = editor;
  let placeholder: number | undefined;
  let unnamed: number | undefined;
  for (let id = btf.firstId; id < btf.endId; id++) {
    switch (btf.kind(id)) {
      case 'var':
        if (!has(btfDatasec)) becomeByte(editor, id);
        break;
      case 'decl_tag':
        if (!has(btfDeclTag)) becomeByte(editor, id);
        break;
      case 'datasec':
        sanitizeSection(editor, id, has);
        break;
      case 'func_proto':
        if (has(btfFunc)) break;
        unnamed ??= editor.addString('unnamed');
        becomeEnum(editor, id, unnamed);
        break;
      case 'func':
        if (!has(btfFunc)) editor.setWord(id, Word.INFO, typeInfo(Kind.TYPEDEF));
        else if (linkage(editor, id) !== STATIC && !has(btfFuncGlobal)) {
          editor.setWord(id, Word.INFO, typeInfo(Kind.FUNC, STATIC));
        }
        break;
      case 'float':
        if (!has(btfFloat)) becomeAnonymous(editor, id, Kind.STRUCT);
        break;
      case 'type_tag':
        if (!has(btfTypeTag)) becomeAnonymous(editor, id, Kind.CONST);
        break;
      case 'enum':
        // Signed enums came with 64-bit ones.
        if (editor.word(id, Word.INFO) >>> 31 !== 0 && !has(btfEnum64)) {
          editor.setWord(id, Word.INFO, editor.word(id, Word.INFO) & 0x7fffffff);
        }
        break;
      case 'enum64':
        if (has(btfEnum64)) break;
        placeholder ??= editor.addInt(editor.addString('enum64_placeholder'), 1);
        becomeUnion(editor, id, placeholder);
        break;
    }
  }
}

/** One byte, as an int must not be larger than what it stands for; VAR, DECL_TAG and INT are records of 16 bytes. */
function becomeByte(editor: BtfEditor, id: number): void {
  editor.setWord(id, Word.INFO, typeInfo(Kind.INT));
  editor.setWord(id, Word.SIZE_OR_TYPE, 1);
  editor.setWord(id, Word.DATA, 8);
}

function becomeAnonymous(editor: BtfEditor, id: number, kind: number): void {
  editor.setWord(id, Word.NAME, 0);
  editor.setWord(id, Word.INFO, typeInfo(kind));
}

/**
 * Parameters and enumerators are records of 8 bytes that begin with a name. Enumerators must have one, so `unnamed` is
 * given to parameters without; libbpf leaves those, and the kernel refuses them.
 */
function becomeEnum(editor: BtfEditor, id: number, unnamed: number): void {
  const count = editor.word(id, Word.INFO) & 0xffff;
  editor.setWord(id, Word.INFO, typeInfo(Kind.ENUM, count));
  editor.setWord(id, Word.SIZE_OR_TYPE, 4);
  for (let index = 0; index < count; index++) {
    const word = Word.DATA + index * 2;
    if (editor.word(id, word) === 0) editor.setWord(id, word, unnamed);
  }
}

/** Values and members are records of 12 bytes that begin with a name. */
function becomeUnion(editor: BtfEditor, id: number, memberType: number): void {
  const count = editor.word(id, Word.INFO) & 0xffff;
  editor.setWord(id, Word.INFO, typeInfo(Kind.UNION, count));
  for (let index = 0; index < count; index++) {
    editor.setWord(id, Word.DATA + index * 3 + 1, memberType);
    editor.setWord(id, Word.DATA + index * 3 + 2, 0);
  }
}

function sanitizeSection(editor: BtfEditor, id: number, has: Supports): void {
  const { btf } = editor;
  const section = btf.type(id);
  if (section.kind !== 'datasec') return;
  if (!has(btfDatasec)) becomeStruct(editor, section);
  else if (section.name.startsWith('?') && !has(btfQuestionMark)) {
    editor.setWord(id, Word.NAME, editor.addString(`_${section.name.slice(1)}`));
  }
}

/** Variables become members: records of 12 bytes both. */
function becomeStruct(editor: BtfEditor, section: BtfDatasec): void {
  const { id, name, vars } = section;
  editor.setWord(id, Word.NAME, editor.addString(name.replace(/[.?]/g, '_')));
  editor.setWord(id, Word.INFO, typeInfo(Kind.STRUCT, vars.length));
  vars.forEach((_, index) => {
    const entry = Word.DATA + index * 3;
    const variable = editor.word(id, entry);
    const offset = editor.word(id, entry + 1);
    const name =
      variable < editor.btf.endId ? editor.word(variable, Word.NAME) : editor.addString('dummy_ksym');
    editor.setWord(id, entry, name);
    editor.setWord(id, entry + 1, variable);
    editor.setWord(id, entry + 2, offset * 8);
  });
}
