// What a tag tells the compiler of the union beside it. Compiled, never run: every `@ts-expect-error` is a promise that
// the line below it is refused.
import type { Codec } from '@bpfskel/runtime';
import {
  type Address,
  type Chosen,
  type Event,
  EventType,
  type Numbered,
  type Shape,
  ShapeKind,
  tagged_union,
} from '../golden/tagged_union/expected.skel.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const is = <A, B>(_: Equal<A, B>): void => undefined;

export function narrowed(event: Event): string {
  // @ts-expect-error nobody said that it is an exec
  event.exec.filename;
  is<typeof event.pid, number>(true);
  switch (event.type) {
    case EventType.EVENT_EXEC:
      // @ts-expect-error that is another arm
      event.exit.code;
      return event.exec.filename;
    case EventType.EVENT_EXIT:
      return `${event.exit.runtime}`;
    default:
      is<typeof event.type, typeof EventType.EVENT_MAX>(true);
      is<typeof event.raw, Uint8Array>(true);
      return `${event.raw.length}`;
  }
}

/** Every name of the enum has an arm: no default is needed. */
export function exhaustive(shape: Shape): number {
  switch (shape.kind) {
    case ShapeKind.SHAPE_CIRCLE:
      return shape.is.radius;
    case ShapeKind.SHAPE_SQUARE:
      return shape.is.sides.length;
  }
}

export function numbers(record: Numbered, chosen: Chosen, address: Address): void {
  switch (record.kind) {
    case 1:
      is<typeof record.open.path, string>(true);
      break;
    case 2:
    case 3:
      is<typeof record.close.fd, number>(true);
      break;
    // @ts-expect-error not a string
    case 'x':
      break;
    default:
      is<typeof record.raw, Uint8Array>(true);
      Number(record.kind).toFixed();
  }
  if (chosen.kind === 4n) is<typeof chosen.payload, { ip: number }>(true);
  if (address.is_v6 === true) is<typeof address.v6, number[]>(true);
  if (address.is_v6 === false) is<typeof address.v4, number[]>(true);
}

export function made(): void {
  using skel = tagged_union.openAndLoad();
  is<typeof Shape, Codec<Shape>>(true);
  skel.maps.shapes.set(0, { kind: ShapeKind.SHAPE_CIRCLE, is: { radius: 1 } });
  // @ts-expect-error a circle has no sides
  skel.maps.shapes.set(0, { kind: ShapeKind.SHAPE_CIRCLE, is: { sides: [1, 2] } });
  // @ts-expect-error a shape is of a kind
  skel.maps.shapes.set(0, { is: { radius: 1 } });
}
