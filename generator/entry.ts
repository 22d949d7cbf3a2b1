/** One property of the description: `doc`, then `key: value`. */
export interface Entry {
  readonly doc: string;
  readonly key: string;
  readonly value: string;
}
