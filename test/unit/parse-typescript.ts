import { ts } from 'ts-morph';
import { expect } from 'vitest';

export { ts };

/** The top-level statements of TypeScript text, which must have no syntax error. */
export function statementsOf(text: string): readonly ts.Statement[] {
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
  const { diagnostics = [] } = ts.transpileModule(text, { compilerOptions, reportDiagnostics: true });
  expect(diagnostics.map((one) => ts.flattenDiagnosticMessageText(one.messageText, ' '))).toEqual([]);
  return ts.createSourceFile('probe.ts', text, ts.ScriptTarget.ES2022, true).statements;
}
