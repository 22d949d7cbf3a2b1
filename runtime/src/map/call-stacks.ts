import type { Codec } from '../codec/codec.js';
import { count } from './count.js';
import { Elements } from './elements.js';
import { BpfMap, type MapHandle } from './map.js';
import { word } from './word.js';

/** Call stacks by the id that bpf_get_stackid() gave a program. The program fills the map; this side reads and deletes. */
export abstract class CallStacks<Frame> extends BpfMap implements Iterable<[number, Frame[]]> {
  readonly #elements: Elements<number, Frame[]>;

  /** `frame` is one frame, undefined where the stack is over. */
  constructor(handle: MapHandle, frame: Codec<Frame | undefined>) {
    super(handle);
    this.#elements = new Elements(handle, word(handle), framesOf(handle, frame));
  }

  /** Most frames a stack can have. */
  abstract get depth(): number;

  /**
   * The frames of a stack, the innermost first. Undefined when there is none: it was deleted, or another took its place,
   * or `id` is negative, which is an errno that the program got.
   */
  get(id: number): Frame[] | undefined {
    return this.#elements.get(id);
  }

  has(id: number): boolean {
    return this.#elements.has(id);
  }

  /** Removes a stack, so that its place is free. False when there was none. */
  delete(id: number): boolean {
    return this.#elements.delete(id);
  }

  /** A stack, which is deleted then. */
  take(id: number): Frame[] | undefined {
    const frames = this.get(id);
    return frames !== undefined && this.delete(id) ? frames : undefined;
  }

  /** Removes every stack. */
  clear(): void {
    this.#elements.clear();
  }

  /** The ids of all stacks. */
  keys(): Generator<number, undefined> {
    return this.#elements.keys();
  }

  /** `[id, frames]` of all stacks. */
  *entries(): Generator<[number, Frame[]], undefined> {
    for (const id of this.keys()) {
      const frames = this.get(id);
      if (frames !== undefined) yield [id, frames];
    }
  }

  /** The frames of all stacks. */
  *values(): Generator<Frame[], undefined> {
    for (const [, frames] of this.entries()) yield frames;
  }

  /** Number of stacks, counted by walking the map. */
  get size(): number {
    return count(this.keys());
  }

  [Symbol.iterator](): Generator<[number, Frame[]], undefined> {
    return this.entries();
  }
}

/** Frames up to the first that is none. */
function framesOf<Frame>({ valueSize }: MapHandle, frame: Codec<Frame | undefined>): Codec<Frame[]> {
  return {
    size: valueSize,
    read(view, offset) {
      const frames: Frame[] = [];
      for (let at = 0; at + frame.size <= valueSize; at += frame.size) {
        const one = frame.read(view, offset + at);
        if (one === undefined) break;
        frames.push(one);
      }
      return frames;
    },
    // The kernel lets programs alone write stacks.
    write: () => undefined,
  };
}
