import { Node, type PropertySignature, type TypeAliasDeclaration, type TypeNode } from 'ts-morph';
import type { Field, TypeApi } from './api.js';

// The shapes that gen writes types in, read back. Needs ts-morph, as skeleton-api.ts does.

/** A union that gen wrote, as a struct with the fields of all its arms; any other type by its text. */
export function aliasOf(declaration: TypeAliasDeclaration): TypeApi {
  const doc = docOf(declaration);
  const type = declaration.getTypeNode();
  const fields = type === undefined ? undefined : armsOf(type);
  if (fields !== undefined) return { kind: 'struct', doc, fields: new Map(fields) };
  return { kind: 'alias', doc, type: plain(type) };
}

type Named = readonly [string, Field];

/** What a union of structs, or of records, is made of; undefined for another type. */
function armsOf(type: TypeNode): Named[] | undefined {
  const bare = unwrapped(type);
  if (Node.isTypeLiteral(bare))
    return bare.getProperties().map((one) => [`field ${nameOf(one)}`, fieldOf(one)]);
  if (Node.isUnionTypeNode(bare)) {
    const arms = bare.getTypeNodes().map(armOf);
    return arms.every((arm) => arm !== undefined) ? arms.flat() : undefined;
  }
  // What all arms have in common, and the arms.
  if (!Node.isIntersectionTypeNode(bare)) return undefined;
  const parts = bare.getTypeNodes().map(armsOf);
  return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
}

/** One arm: `{ type: 1; code: number }`, `ExitEvent & { type: 1 }`, or a struct by its name. */
function armOf(type: TypeNode): Named[] | undefined {
  const bare = unwrapped(type);
  const parts = Node.isIntersectionTypeNode(bare) ? bare.getTypeNodes().map(unwrapped) : [bare];
  const literal = parts.find(Node.isTypeLiteral);
  const [tag, ...fields] = literal?.getProperties() ?? [];
  const label = tag === undefined ? '' : ` of ${labelOf(tag)}`;
  const records = parts.filter(Node.isTypeReference).map((one): Named => {
    const name = one.getText();
    return [
      label === '' ? `record ${name}` : `record${label}`,
      { type: name, optional: false, arm: true, doc: '' },
    ];
  });
  if (records.length + (literal === undefined ? 0 : 1) !== parts.length) return undefined;
  return [
    ...records,
    ...fields.map((field): Named => [`field ${nameOf(field)}${label}`, { ...fieldOf(field), arm: true }]),
  ];
}

/** The value of the field that tells an arm from others: `EVENT_EXIT`, `1`, `other`. */
function labelOf(tag: PropertySignature): string {
  const text = plain(tag.getTypeNode());
  return /^(Exclude<|Other[A-Z])/.test(text) ? 'other values' : text.replaceAll(/typeof \w+\./g, '');
}

function unwrapped(type: TypeNode): TypeNode {
  return Node.isParenthesizedTypeNode(type) ? unwrapped(type.getTypeNode()) : type;
}

/** A member of an interface or of a type literal. */
export function fieldOf(property: PropertySignature): Field {
  const optional = property.hasQuestionToken();
  return { type: plain(property.getTypeNode()), optional, arm: false, doc: docOf(property) };
}

/** What a member is called. */
export function nameOf(property: PropertySignature): string {
  return keyOf(property.getNameNode());
}

function plain(type: TypeNode | undefined): string {
  const text = type?.getText() ?? 'unknown';
  return text
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/\s+/g, ' ')
    .replace(/^\| /, '')
    .trim();
}

/** A property name without its quotes. */
export function keyOf(node: Node): string {
  const inner = Node.isComputedPropertyName(node) ? node.getExpression() : node;
  return Node.isStringLiteral(inner) ? inner.getLiteralValue() : inner.getText();
}

/** The text of the comment before a node. */
export function docOf(node: Node): string {
  const comment = node.getLeadingCommentRanges().at(-1)?.getText() ?? '';
  return comment.replace(/^\/\*\*?\s*|\s*\*\/$/g, '').replaceAll(/\s+/g, ' ');
}
