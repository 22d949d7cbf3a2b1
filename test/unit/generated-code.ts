import { statementsOf, ts } from './parse-typescript.js';

/** What generated code may name without declaring it. */
const known = new Set(['undefined', 'Exclude', 'Object', 'Omit', 'URL', 'Uint8Array', 'const']);

const declarations = new Set([
  ts.SyntaxKind.ImportDeclaration,
  ts.SyntaxKind.InterfaceDeclaration,
  ts.SyntaxKind.TypeAliasDeclaration,
  ts.SyntaxKind.VariableStatement,
]);

/**
 * In what a text is not a skeleton as gen may write it, whatever names its object has: statements that are no
 * declarations, identifiers that nothing declares, imports from elsewhere, text that a reader or a tool takes for more than
 * a comment.
 */
export function strangeThings(text: string): string[] {
  const statements = statementsOf(text);
  const declared = new Set<string>();
  const used = new Set<string>();
  const strange: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) {
      if (!/^[A-Za-z_$][\w$]*$/.test(node.text) && !isProperty(node)) strange.push(`identifier ${node.text}`);
      if (isDeclared(node)) declared.add(node.text);
      else if (!isProperty(node)) used.add(node.text);
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      strange.push('import()');
    ts.forEachChild(node, visit);
  };
  for (const statement of statements) {
    if (!declarations.has(statement.kind)) strange.push(`statement: ${statement.getText().slice(0, 80)}`);
    if (ts.isImportDeclaration(statement)) {
      const { moduleSpecifier: from } = statement;
      if (!ts.isStringLiteral(from) || from.text !== '@bpfskel/runtime/codegen/v1') {
        strange.push(`import from ${from.getText()}`);
      }
    }
    visit(statement);
  }
  for (const name of used) {
    if (!declared.has(name) && !known.has(name)) strange.push(`nothing declares ${name}`);
  }
  const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.exec(text.replaceAll('\n', ''))?.[0];
  if (hidden !== undefined) strange.push(`hidden character U+${hidden.codePointAt(0)?.toString(16)}`);
  for (const comment of commentsIn(text)) {
    const directive = /@ts-|^\/\/\/|sourceMappingURL|__PURE__|@jsx/.exec(comment)?.[0];
    if (directive !== undefined) strange.push(`directive ${directive}`);
  }
  return strange;
}

function commentsIn(text: string): string[] {
  const scanner = ts.createScanner(ts.ScriptTarget.ES2022, false, ts.LanguageVariant.Standard, text);
  const comments: string[] = [];
  for (let token = scanner.scan(); token !== ts.SyntaxKind.EndOfFileToken; token = scanner.scan()) {
    const isComment =
      token === ts.SyntaxKind.SingleLineCommentTrivia || token === ts.SyntaxKind.MultiLineCommentTrivia;
    if (isComment) comments.push(scanner.getTokenText());
  }
  return comments;
}

function isDeclared(node: ts.Identifier): boolean {
  const { parent } = node;
  return (
    (ts.isVariableDeclaration(parent) ||
      ts.isParameter(parent) ||
      ts.isInterfaceDeclaration(parent) ||
      ts.isTypeAliasDeclaration(parent) ||
      ts.isImportSpecifier(parent)) &&
    parent.name === node
  );
}

/** A name behind a dot, or in front of a colon. */
function isProperty(node: ts.Identifier): boolean {
  const { parent } = node;
  return (
    (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
    ((ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent)) && parent.name === node) ||
    (ts.isImportSpecifier(parent) && parent.propertyName === node) ||
    (ts.isQualifiedName(parent) && parent.right === node) ||
    ts.isMetaProperty(parent)
  );
}
