import { fileURLToPath } from 'node:url';
import {
  type InterfaceDeclaration,
  Node,
  type ObjectLiteralExpression,
  Project,
  type PropertyAssignment,
  type SourceFile,
  type Symbol as TsSymbol,
  ts,
} from 'ts-morph';
import type { Api, Item, TypeApi } from './api.js';
import { aliasOf, docOf, fieldOf, keyOf, nameOf } from './type-shape.js';

// This file and type-shape.ts need ts-morph, which takes longer to load than everything else here together. They are
// imported when a skeleton is not what it should be.

/** Text that is no skeleton, with the reason as a sentence's end. */
export class NotASkeleton extends Error {
  override readonly name = 'NotASkeleton';
}

let project: Project | undefined;

/** Reads the APIs that the texts of two skeletons declare. Types are the compiler's own words for them. */
export function readApis(was: string, now: string): readonly [Api, Api] {
  project ??= new Project({
    skipAddingFilesFromTsConfig: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      strict: true,
      skipLibCheck: true,
      types: [],
    },
  });
  // Beside this file the compiler finds the runtime as Node does.
  const beside = fileURLToPath(new URL('checked', import.meta.url));
  const [old, fresh] = [
    project.createSourceFile(`${beside}.was.ts`, was, { overwrite: true }),
    project.createSourceFile(`${beside}.now.ts`, now, { overwrite: true }),
  ];
  try {
    return [apiOf(old), apiOf(fresh)];
  } finally {
    project.removeSourceFile(old);
    project.removeSourceFile(fresh);
  }
}

function apiOf(file: SourceFile): Api {
  refuseSyntaxErrors(file);
  const description = descriptionOf(file);
  const { open, live } = interfaces(file);
  const names = new References(file);
  const inside = (symbol: TsSymbol | undefined) => propertiesOf(typeAt(symbol, file)?.getProperties() ?? []);
  const [opened, types] = [open, live].map((one) => propertiesOf(one.getType().getProperties()));
  const items = (literal: ObjectLiteralExpression | undefined, section: TsSymbol | undefined) => {
    const found = inside(section);
    return new Map(
      propertiesIn(literal).map(([key, property]) => [
        key,
        {
          type: typeText(found.get(key), file),
          doc: docOf(property),
          ...names.of(property.getInitializerOrThrow()),
        } satisfies Item,
      ]),
    );
  };
  const each = (key: string, prefix: string, symbols: Map<string, TsSymbol> | undefined) =>
    propertiesIn(objectAt(description, key)).map(([name, property]) => {
      const literal = property.getInitializerIfKind(ts.SyntaxKind.ObjectLiteralExpression);
      return [`${prefix}${name}`, items(literal, symbols?.get(name))] as const;
    });
  return {
    maps: items(objectAt(description, 'maps'), types?.get('maps')),
    progs: items(objectAt(description, 'progs'), types?.get('progs')),
    globals: new Map([
      ...each('globals', '', types),
      ...each('structOps', 'struct_ops.', inside(opened?.get('struct_ops'))),
    ]),
    types: typesOf(file, live),
  };
}

function refuseSyntaxErrors(file: SourceFile): void {
  const [error] = project?.getProgram().getSyntacticDiagnostics(file) ?? [];
  if (error === undefined) return;
  const message = error.getMessageText();
  const what = typeof message === 'string' ? message : message.getMessageText();
  throw new NotASkeleton(`line ${error.getLineNumber() ?? 1} is no TypeScript: ${what}`);
}

/** The object literal that states everything: `const description = { name, maps, progs, globals, elf } satisfies ...`. */
function descriptionOf(file: SourceFile): ObjectLiteralExpression {
  for (const { initializer } of constants(file)) {
    const value = Node.isSatisfiesExpression(initializer) ? initializer.getExpression() : undefined;
    if (Node.isObjectLiteralExpression(value) && value.getProperty('maps') && value.getProperty('progs')) {
      return value;
    }
  }
  throw new NotASkeleton('it has no description of maps and programs');
}

/** The type arguments of `export const hello: Skeleton<OpenHello, Hello>`. */
function interfaces(file: SourceFile): Record<'open' | 'live', InterfaceDeclaration> {
  for (const { declaration } of constants(file)) {
    const type = declaration.isExported() ? declaration.getTypeNode() : undefined;
    const names = Node.isTypeReference(type) ? type.getTypeArguments() : [];
    const [open, live] = names.map((name) => file.getInterface(name.getText()));
    if (open !== undefined && live !== undefined) return { open, live };
  }
  throw new NotASkeleton('it exports no skeleton');
}

function constants(file: SourceFile) {
  return file
    .getVariableDeclarations()
    .map((declaration) => ({ declaration, initializer: declaration.getInitializer() }));
}

function objectAt(literal: ObjectLiteralExpression, key: string): ObjectLiteralExpression | undefined {
  const property = literal.getProperty(key);
  return Node.isPropertyAssignment(property)
    ? property.getInitializerIfKind(ts.SyntaxKind.ObjectLiteralExpression)
    : undefined;
}

function propertiesIn(literal: ObjectLiteralExpression | undefined): [string, PropertyAssignment][] {
  return (literal?.getProperties() ?? []).flatMap((property) =>
    Node.isPropertyAssignment(property) ? [[keyOf(property.getNameNode()), property]] : [],
  );
}

function propertiesOf(symbols: readonly TsSymbol[]): Map<string, TsSymbol> {
  return new Map(symbols.map((symbol) => [symbol.getName(), symbol]));
}

function typeAt(symbol: TsSymbol | undefined, file: SourceFile) {
  return symbol?.getTypeAtLocation(file);
}

function typeText(symbol: TsSymbol | undefined, file: SourceFile): string {
  const text = typeAt(symbol, file)?.getText(undefined, ts.TypeFormatFlags.NoTruncation);
  return text?.replaceAll(/import\("[^"]*"\)\./g, '') ?? 'unknown';
}

function typesOf(file: SourceFile, live: InterfaceDeclaration): Map<string, TypeApi> {
  const types = new Map<string, TypeApi>();
  for (const statement of file.getStatements()) {
    if (Node.isInterfaceDeclaration(statement) && statement.isExported() && statement !== live) {
      if (statement.getExtends().length > 0 && statement.getMembers().length === 0) continue;
      const fields = new Map(
        statement.getProperties().map((property) => [`field ${nameOf(property)}`, fieldOf(property)]),
      );
      types.set(statement.getName(), { kind: 'struct', doc: docOf(statement), fields });
    }
    if (!Node.isTypeAliasDeclaration(statement) || !statement.isExported()) continue;
    const name = statement.getName();
    const values = enumValues(file, name);
    const doc = docOf(file.getVariableStatement(name) ?? statement);
    if (values !== undefined) types.set(name, { kind: 'enum', doc, values });
    else types.set(name, aliasOf(statement));
  }
  return types;
}

/** The values of `export const Name = { ... } as const`, when there is one. */
function enumValues(file: SourceFile, name: string): Map<string, string> | undefined {
  const initializer = file.getVariableDeclaration(name)?.getInitializer();
  const value = Node.isAsExpression(initializer) ? initializer.getExpression() : undefined;
  if (!Node.isObjectLiteralExpression(value)) return undefined;
  return new Map(propertiesIn(value).map(([key, one]) => [key, one.getInitializerOrThrow().getText()]));
}

/** Which of the file's own types an expression is made of. */
class References {
  readonly #declared = new Map<string, Node[]>();
  readonly #types = new Set<string>();

  constructor(file: SourceFile) {
    for (const { declaration, initializer } of constants(file)) {
      if (initializer !== undefined) this.#add(declaration.getName(), initializer);
    }
    for (const declaration of [...file.getInterfaces(), ...file.getTypeAliases()]) {
      this.#types.add(declaration.getName());
      this.#add(declaration.getName(), declaration);
    }
  }

  of(expression: Node): { names: Set<string>; reaches: Set<string> } {
    const direct = this.#named(expression);
    const seen = new Set<string>();
    const queue = [...direct];
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      if (seen.has(name)) continue;
      seen.add(name);
      for (const node of this.#declared.get(name) ?? []) queue.push(...this.#named(node));
    }
    const types = (names: Iterable<string>) => new Set([...names].filter((name) => this.#types.has(name)));
    return { names: types(direct), reaches: types(seen) };
  }

  #add(name: string, node: Node): void {
    this.#declared.set(name, [...(this.#declared.get(name) ?? []), node]);
  }

  #named(node: Node): Set<string> {
    const identifiers = [
      ...(Node.isIdentifier(node) ? [node] : []),
      ...node.getDescendantsOfKind(ts.SyntaxKind.Identifier),
    ];
    return new Set(identifiers.map((one) => one.getText()).filter((name) => this.#declared.has(name)));
  }
}
