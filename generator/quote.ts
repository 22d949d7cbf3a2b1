import { printable } from '@bpfskel/runtime/inspect';

// Names in an object file are whatever its author wrote into it. These three functions are the only ways in which they
// enter generated code: as a string, inside a comment, or (names.ts) as an identifier made of safe characters.

const hidden =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not stand in source text
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]/;

/** A single-quoted string literal with exactly this value. */
export function quote(text: string): string {
  let result = "'";
  // By code point: a surrogate seen here has lost its other half.
  for (const char of text) {
    const code = char.charCodeAt(0);
    const lone = char.length === 1 && code >= 0xd800 && code <= 0xdfff;
    if (char === "'" || char === '\\') result += `\\${char}`;
    else if (char === '\n') result += '\\n';
    else if (char.length === 1 && (lone || hidden.test(char)))
      result += `\\u${code.toString(16).padStart(4, '0')}`;
    else result += char;
  }
  return `${result}'`;
}

/** Text for the inside of a block comment: ends no comment, starts no directive or JSDoc tag, hides nothing. */
export function comment(text: string): string {
  return printable(text).replaceAll('@', '\\u{40}').replaceAll('*/', '*\\/').replaceAll('/*', '/\\*');
}

/** A property name in an object literal or an interface. */
export function propertyKey(name: string): string {
  // A plain `__proto__: x` in a literal would set the prototype instead of adding a property.
  if (name === '__proto__') return "['__proto__']";
  return isPlain(name) ? name : quote(name);
}

/** `object.name` or `object['name']`. */
export function propertyAccess(object: string, name: string): string {
  return isPlain(name) && name !== '__proto__' ? `${object}.${name}` : `${object}[${quote(name)}]`;
}

function isPlain(name: string): boolean {
  return /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(name);
}
