/** What a skeleton offers to TypeScript, as plain data in the order of the file. */
export interface Api {
  readonly maps: ReadonlyMap<string, Item>;
  readonly progs: ReadonlyMap<string, Item>;
  /** Global variables by section, and members of struct_ops maps by `struct_ops.MAP`. */
  readonly globals: ReadonlyMap<string, ReadonlyMap<string, Item>>;
  readonly types: ReadonlyMap<string, TypeApi>;
}

/** A map, a program or a global variable. */
export interface Item {
  /** As an editor shows it: `HashMap<number, Stats>`. */
  readonly type: string;
  /** The C declaration and where it lies, as the comment says. */
  readonly doc: string;
  /** Types of the file that it names itself, and all that those reach. */
  readonly names: ReadonlySet<string>;
  readonly reaches: ReadonlySet<string>;
}

/** An exported type: of a struct, of an enum, or another. */
export type TypeApi =
  | {
      readonly kind: 'struct';
      readonly doc: string;
      /** By what one says of them: `field pid`; of unions also `field code of EVENT_EXIT`, `record of EVENT_EXIT`. */
      readonly fields: ReadonlyMap<string, Field>;
    }
  | { readonly kind: 'enum'; readonly doc: string; readonly values: ReadonlyMap<string, string> }
  | { readonly kind: 'alias'; readonly doc: string; readonly type: string };

/** A member of a struct. */
export interface Field {
  readonly type: string;
  readonly optional: boolean;
  /** Only there when the union is this arm. */
  readonly arm: boolean;
  readonly doc: string;
}
