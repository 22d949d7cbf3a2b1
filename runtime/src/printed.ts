/** The name of the method by which an object tells util.inspect(), and so console.log(), how it looks. */
export const inspect: unique symbol = Symbol.for('nodejs.util.inspect.custom');

/** util.inspect(), which is handed to that method: the runtime imports nothing for it. */
export type Print = (value: unknown, options: object) => string;

/**
 * How an object looks in console.log(): its class, and what one asks of it, instead of all that it is made of. `depth` and
 * `options` are what util.inspect() passes; below its depth the class and the name are left.
 */
export function printed(
  of: object,
  name: string,
  facts: object,
  depth: number,
  options: object,
  print: Print,
): string {
  const kind = of.constructor.name;
  return depth < 0 ? `[${kind} ${print(name, options)}]` : `${kind} ${print(facts, options)}`;
}
