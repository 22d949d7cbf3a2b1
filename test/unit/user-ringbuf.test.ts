import { afterEach, describe, expect, it, vi } from 'vitest';
import { userRingbuf } from '../../runtime/src/map/user-ringbuf.js';
import { FakeUserRingMap } from '../../runtime/src/testing/fake-user-ring.js';
import { fakeKernel } from '../../runtime/src/testing/index.js';
import { BPF_MAP_TYPE } from '../../runtime/src/uapi.js';
import { liveMap, Sample, sample } from './live-map.js';

/** Milliseconds that a busy machine may need. */
const PATIENCE = 15_000;

const ending: (() => void)[] = [];
afterEach(() => {
  for (const end of ending.splice(0)) end();
});

function open(maxEntries = 4096, shape = userRingbuf(Sample)) {
  const kernel = fakeKernel();
  const attributes = { type: BPF_MAP_TYPE.USER_RINGBUF, name: 'commands', keySize: 0, valueSize: 0 };
  const live = liveMap(kernel, shape, { ...attributes, maxEntries });
  ending.push(live.destroy);
  const fake = kernel.map('commands');
  if (!(fake instanceof FakeUserRingMap)) throw new Error('not a user ring');
  const drain = (most?: number) => kernel.drain('commands', { codec: Sample, ...(most && { most }) });
  return { kernel, ...live, fake, drain };
}

const pids = (records: readonly Sample[]) => records.map(({ pid }) => pid);
const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

/** Sends until there is no room. */
function fill({ map }: ReturnType<typeof open>): number {
  let sent = 0;
  while (map.send(sample(sent))) sent++;
  return sent;
}

describe('send()', () => {
  it('gives programs records, in order', () => {
    const { map, drain } = open();
    expect([1, 2, 3].map((pid) => map.send(sample(pid)))).toEqual([true, true, true]);
    expect(drain()).toEqual([sample(1), sample(2), sample(3)]);
    expect(map.stats()).toEqual({ size: 4096, pending: 0, records: 3, bytes: 48, discarded: 0, full: 0 });
  });

  it('says when there is no room, and sends again when there is', () => {
    const opened = open();
    // 16 bytes and 8 before them.
    expect(fill(opened)).toBe(Math.floor(4096 / 24));
    expect(opened.map.stats()).toMatchObject({ full: 1, pending: 170 * 24 });
    opened.drain(1);
    expect(opened.map.send(sample(1000))).toBe(true);
    expect(opened.map.send(sample(1001))).toBe(false);
    expect(pids(opened.drain()).at(-1)).toBe(1000);
  });

  it('writes across the end of the buffer', () => {
    const { map, drain } = open();
    for (let i = 0; i < 500; i++) {
      for (let j = 0; j < 3; j++) map.send(sample(3 * i + j));
      expect(drain()).toEqual([sample(3 * i), sample(3 * i + 1), sample(3 * i + 2)]);
    }
  });

  it.each([
    ['2^64', 2n ** 64n - 48n],
    ['2^53', 2n ** 53n - 48n],
    ['2^31', 2n ** 31n - 48n],
  ])('follows positions past %s', (_what, position) => {
    const { map, drain, fake } = open();
    fake.startAt(position);
    for (let i = 0; i < 10; i++) {
      map.send(sample(i));
      expect(pids(drain())).toEqual([i]);
    }
  });

  it('takes bytes of any length when records have no type', () => {
    const { map, kernel } = open(4096, userRingbuf() as never);
    const sent = [Uint8Array.of(1, 2, 3), new Uint8Array(0), Uint8Array.of(4)];
    for (const bytes of sent) expect(map.send(bytes as never)).toBe(true);
    expect(kernel.drain('commands')).toEqual(sent);
  });

  it('takes the size of a record with a flexible end', () => {
    const { map, kernel } = open();
    map.send(sample(1), 21);
    expect(kernel.drain('commands')[0]).toHaveLength(21);
  });

  it('leaves nothing of older records in the padding', () => {
    const { map, kernel } = open();
    for (let i = 0; i < 200; i++) {
      const reservation = map.reserve(16);
      reservation?.bytes.fill(0xff);
      reservation?.submit();
      kernel.drain('commands');
    }
    map.send(sample(1));
    expect([...(kernel.drain('commands')[0] ?? [])].slice(5, 8)).toEqual([0, 0, 0]);
  });

  it('discards the record when its value does not fit the type', () => {
    const { map, drain } = open();
    expect(() => map.send({ ...sample(1), ns: 5 as never })).toThrow();
    map.send(sample(2));
    expect(pids(drain())).toEqual([2]);
    expect(map.stats()).toMatchObject({ records: 1, discarded: 1 });
  });

  it('throws once the object is destroyed', () => {
    const { map, destroy } = open();
    map.send(sample(1));
    destroy();
    expect(() => map.send(sample(1))).toThrow(expect.objectContaining({ code: 'ERR_BPF_STATE' }));
  });
});

describe('reserve()', () => {
  it('gives zeroed bytes, which programs get when they are submitted, in order of reservation', () => {
    const { map, drain } = open();
    const first = map.reserve();
    const second = map.reserve();
    expect(first?.bytes).toEqual(new Uint8Array(16));
    second?.view.setUint32(0, 2, true);
    second?.submit();
    expect(drain()).toEqual([]);
    first?.view.setUint32(0, 1, true);
    first?.submit();
    expect(pids(drain())).toEqual([1, 2]);
  });

  it('makes programs pass over what is discarded, and `using` discards', () => {
    const { map, drain } = open();
    map.reserve()?.discard();
    {
      using reservation = map.reserve();
      expect(reservation?.bytes).toHaveLength(16);
    }
    map.send(sample(3));
    expect(pids(drain())).toEqual([3]);
    expect(map.stats()).toMatchObject({ discarded: 2, records: 1 });
  });

  it('ends once', () => {
    const { map } = open();
    const reservation = map.reserve();
    reservation?.submit();
    reservation?.discard();
    expect(() => reservation?.submit()).toThrow('submit a record: it was submitted or discarded before');
    expect(map.stats()).toMatchObject({ discarded: 0, records: 1 });
  });

  it.each([-1, 1.5, 4089, 1e12, Number.NaN])('refuses %s bytes', async (size) => {
    const { map } = open();
    const refused = {
      code: 'ERR_BPF_RANGE',
      message: `reserve ${size} bytes in map "commands": its records have 0 to 4088 bytes`,
    };
    expect(() => map.reserve(size)).toThrow(expect.objectContaining(refused));
    await expect(map.reserveWhenRoom(size)).rejects.toMatchObject(refused);
  });

  it('refuses a record that programs could not look at', () => {
    const { map } = open(1 << 25);
    expect(() => map.reserve(0x1000000)).toThrow('its records have 0 to 16777215 bytes');
    expect(map.reserve(0xffffff)?.bytes).toHaveLength(0xffffff);
  });

  it('may be ended after the object', () => {
    const { map, destroy } = open();
    const [first, second] = [map.reserve(), map.reserve()];
    destroy();
    first?.bytes.fill(1);
    first?.submit();
    second?.discard();
  });
});

describe('sendWhenRoom()', () => {
  it('sends at once when there is room', async () => {
    const { map, drain } = open();
    await map.sendWhenRoom(sample(1));
    expect(pids(drain())).toEqual([1]);
  });

  it('waits until a program drained enough, and keeps the order of those who wait', async () => {
    const opened = open();
    const { map, drain, kernel } = opened;
    const full = fill(opened);
    const large = map.reserveWhenRoom(200).then((reservation) => reservation.submit());
    const small = map.sendWhenRoom(sample(1001));
    const done = vi.fn();
    void small.then(done);
    drain(3);
    await turn();
    expect(done).not.toHaveBeenCalled();
    drain();
    await Promise.all([large, small]);
    expect(kernel.drain('commands').map(({ length }) => length)).toEqual([200, 16]);
    expect(map.stats().records).toBe(full + 2);
  });

  it('looks by the clock for programs that wake nobody', async () => {
    const opened = open();
    fill(opened);
    const sent = opened.map.sendWhenRoom(sample(1), { pollInterval: 2 });
    await turn();
    opened.kernel.drain('commands', { wakeup: false });
    await sent;
    expect(pids(opened.drain())).toEqual([1]);
  });

  it('is ended by its signal, and lets those behind it go on', async () => {
    const opened = open();
    fill(opened);
    const abort = new AbortController();
    const large = opened.map.reserveWhenRoom(4000, { signal: abort.signal });
    const small = opened.map.sendWhenRoom(sample(1));
    opened.drain(1);
    await turn();
    abort.abort(new Error('enough'));
    await expect(large).rejects.toThrow('enough');
    await small;
    await expect(
      opened.map.sendWhenRoom(sample(1), { signal: AbortSignal.abort(new Error('before')) }),
    ).rejects.toThrow('before');
  });

  it('is rejected when the object is destroyed', async () => {
    const opened = open();
    fill(opened);
    const sent = opened.map.sendWhenRoom(sample(1));
    opened.destroy();
    await expect(sent).rejects.toMatchObject({
      code: 'ERR_BPF_STATE',
      message: 'wait for room in map "commands": its object is destroyed',
    });
    expect(opened.kernel.openFds).toEqual([]);
  });

  it('is rejected when the kernel refuses to watch', async () => {
    const opened = open();
    fill(opened);
    opened.kernel.failing('watch', 'ENOMEM');
    await expect(opened.map.sendWhenRoom(sample(1))).rejects.toMatchObject({ code: 'ENOMEM' });
  });

  it('passes on ten thousand records through a buffer that holds 170', async () => {
    const { map, drain } = open();
    const count = 10_000;
    const seen: number[] = [];
    const program = setInterval(() => seen.push(...pids(drain())), 0);
    for (let i = 0; i < count; i++) await map.sendWhenRoom(sample(i));
    await vi.waitFor(() => expect(seen).toHaveLength(count), PATIENCE);
    clearInterval(program);
    expect(seen).toEqual(Array.from({ length: count }, (_, i) => i));
  });
});
