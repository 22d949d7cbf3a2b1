import type { Btf } from '@bpfskel/runtime/inspect';

// C types as text, for comments and `inspect`. Depth is bounded: BTF may describe functions that take themselves.

const MAX_DEPTH = 12;

/** The declaration of `name` as C writes it: `char comm[16]`, `int (*handler)(void *)`. Without a name, the type. */
export function declaration(btf: Btf, typeId: number, name = ''): string {
  return declare(btf, typeId, name, 0).replace(/\s+$/, '');
}

function declare(btf: Btf, id: number, inner: string, depth: number): string {
  if (depth > MAX_DEPTH) return spaced('…', inner);
  const type = btf.type(id);
  const next = (typeId: number, text: string) => declare(btf, typeId, text, depth + 1);
  switch (type.kind) {
    case 'void':
      return spaced('void', inner);
    case 'ptr': {
      // `*` binds weaker than [] and (): what it points to may need parentheses around it.
      const target = btf.kind(type.type);
      const pointer = `*${inner}`;
      return next(type.type, target === 'array' || target === 'func_proto' ? `(${pointer})` : pointer);
    }
    case 'array':
      return next(type.element, `${inner}[${type.length || ''}]`);
    case 'func_proto': {
      const params = type.params.map((param) => next(param.type, '').trim() || 'void');
      return next(type.returns, `${inner}(${params.join(', ') || 'void'})`);
    }
    case 'const':
    case 'volatile':
    case 'restrict': {
      // A qualified pointer carries the word behind its star, everything else in front.
      const qualified = btf.kind(type.type) === 'ptr';
      return qualified
        ? next(type.type, inner === '' ? type.kind : `${type.kind} ${inner}`)
        : `${type.kind} ${next(type.type, inner)}`;
    }
    case 'type_tag':
      return next(type.type, inner);
    case 'struct':
    case 'union':
    case 'enum':
    case 'fwd':
    case 'enum64': {
      const keyword =
        type.kind === 'fwd' ? (type.union ? 'union' : 'struct') : type.kind === 'enum64' ? 'enum' : type.kind;
      return spaced(type.name === '' ? `${keyword} { … }` : `${keyword} ${type.name}`, inner);
    }
    case 'func':
    case 'var':
    case 'decl_tag':
      return next(type.type, inner || type.name);
    case 'int':
    case 'float':
    case 'typedef':
    case 'datasec':
      return spaced(type.name || type.kind, inner);
  }
}

function spaced(type: string, inner: string): string {
  return inner === '' || inner.startsWith('[') ? `${type}${inner}` : `${type} ${inner}`;
}
