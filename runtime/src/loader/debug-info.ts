import type { ProgLoad } from '../kernel/kernel.js';
import type { ObjectSpec } from '../object/spec.js';
import type { AssembledProgram } from './assemble.js';
import type { SourceLine } from './verifier-report.js';

/**
 * func_info and line_info of a program and the subprograms behind it, moved to where they came to lie. `functions`
 * exchanges types of functions, by id.
 */
export function debugInfo(
  { placements }: AssembledProgram,
  { byteOrder }: ObjectSpec,
  functions: ReadonlyMap<number, number> = new Map(),
): Pick<ProgLoad, 'funcInfo' | 'lineInfo'> {
  const little = byteOrder === 'little';
  const funcs = placements.flatMap(({ fn, start }) =>
    fn.funcInfo.map(({ insn, raw, typeId }) => ({
      insn: start + insn,
      raw,
      typeId: functions.get(typeId) ?? typeId,
    })),
  );
  const lines = placements.flatMap(({ fn, start }) =>
    fn.lineInfo.map(({ insn, raw }) => ({ insn: start + insn, raw })),
  );
  // The kernel wants one record a function, beginning with instruction 0: all of them or none.
  if (funcs.length !== placements.length || funcs[0]?.insn !== 0) return {};
  const funcInfo = records(funcs, little);
  if (lines.length === 0 || lines[0]?.insn !== 0) return { funcInfo };
  return { funcInfo, lineInfo: records(lines, little) };
}

/** Records as compiled, with their instruction numbers and types exchanged: the first two words of both sorts. */
function records(
  list: readonly { readonly insn: number; readonly raw: Uint8Array; readonly typeId?: number }[],
  little: boolean,
): { readonly recordSize: number; readonly bytes: Uint8Array } {
  const recordSize = list[0]?.raw.length ?? 0;
  const bytes = new Uint8Array(list.length * recordSize);
  const view = new DataView(bytes.buffer);
  list.forEach(({ insn, raw, typeId }, index) => {
    const at = index * recordSize;
    bytes.set(raw.subarray(0, recordSize), at);
    view.setUint32(at, insn, little);
    if (typeId !== undefined) view.setUint32(at + 4, typeId, little);
  });
  return { recordSize, bytes };
}

/** The source lines of a program, by instruction. */
export function sourceLines({ placements }: AssembledProgram): SourceLine[] {
  return placements.flatMap(({ fn, start }) =>
    fn.lineInfo.map((info) => ({
      insn: start + info.insn,
      file: info.fileName,
      line: info.line,
      text: info.text,
    })),
  );
}
