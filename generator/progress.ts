import { printable } from '@bpfskel/runtime/inspect';

/** Milliseconds before anything is shown: what is done by then needs no progress. */
const patience = 500;

/** One line that says what goes on, for whoever waits at a terminal, and leaves nothing behind. */
export class Progress {
  readonly #write: ((text: string) => void) | undefined;
  readonly #columns: number;
  readonly #start = Date.now();
  #shown = false;

  /** @param write puts text on the terminal; undefined when nobody watches */
  constructor(write: ((text: string) => void) | undefined, columns = 80) {
    this.#write = write;
    this.#columns = columns;
  }

  show(text: string): void {
    if (this.#write === undefined || Date.now() - this.#start < patience) return;
    this.#write(`\r\x1b[K${printable(text, this.#columns - 2)}`);
    this.#shown = true;
  }

  /** Takes the line away, before anything that stays is printed. */
  clear(): void {
    if (this.#shown) this.#write?.('\r\x1b[K');
    this.#shown = false;
  }
}
