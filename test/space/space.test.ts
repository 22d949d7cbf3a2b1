import { beforeAll, describe, expect, it } from 'vitest';

// Scripts for plain node, which have no types.
const script = (name: string) => import(new URL(name, import.meta.url).href);
const { spaceOfCodecs } = await script('space.mjs');
const { exceptions, isMore, mostToDecode, mostToEncode } = await script('limits.mjs');

/** Bytes of heap by call. */
interface Space {
  readonly name: string;
  /** What the records are made of. */
  readonly filling: string;
  readonly decoding: number;
  readonly value: number;
  readonly encoding: number;
}

const line = ({ name, filling, decoding, value, encoding }: Space) =>
  `${name} of ${filling}: ${decoding} to decode ${value}, ${encoding} to encode`;

describe('no codec takes more of the heap than its result', () => {
  let all: readonly Space[] = [];

  beforeAll(async () => {
    all = await spaceOfCodecs();
  }, 600_000);

  it('is measured for every codec, with several kinds of bytes', () => {
    expect(new Set(all.map(({ name }) => name)).size).toBeGreaterThan(150);
    expect(all.length).toBeGreaterThan(500);
    // The instrument sees what is there: a bigint of 64 bits has 24 bytes, a fraction 16, a small integer none.
    const of = (wanted: string) => all.find(({ name, filling }) => name === wanted && filling === 'text');
    expect([of('u64'), of('f64'), of('u8')].map((space) => Math.round(space?.decoding ?? -1))).toEqual([
      24, 16, 0,
    ]);
  });

  it('to decode', () => {
    expect(all.filter((space) => space.decoding > mostToDecode(space)).map(line)).toEqual([]);
  });

  it('to encode, into memory that is there', () => {
    expect(all.filter((space) => space.encoding > mostToEncode(space)).map(line)).toEqual([]);
  });

  it('has no exception that nothing needs any more', () => {
    const needless = exceptions.filter(
      ({ names, sometimes }: { names: RegExp; sometimes?: true }) =>
        !sometimes && !all.some((space) => names.test(space.name) && isMore(space)),
    );
    expect(needless).toEqual([]);
  });
});
