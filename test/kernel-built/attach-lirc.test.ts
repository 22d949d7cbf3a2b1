import { closeSync, constants, openSync, readdirSync, readSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openObject } from '@bpfskel/runtime';
import { afterEach, describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { LircMode2Program } from '../../runtime/src/program/index.js';
import { BPF_ATTACH_TYPE } from '../../runtime/src/uapi.js';
import { type Counter, loadCounter } from '../kernel/counter.js';
import { expectRefusal, linkContract } from '../kernel/link-contract.js';

// rc-loopback receives what it sends.
const device = '/dev/lirc0';
const kernel = linuxKernel();

// What a sample is (include/uapi/linux/lirc.h): its kind in the highest byte, microseconds below.
const LIRC_MODE2_TIMEOUT = 0x03;

/** Sends pulses and the spaces between, in microseconds, and waits until the receiver's programs saw them. */
function send(...lengths: readonly number[]): void {
  const fd = openSync(device, 'r+');
  try {
    writeSync(fd, new Uint32Array(lengths));
    const sample = new Uint32Array(1);
    // Readers get a sample after the programs did; silence ends the message.
    do readSync(fd, sample, 0, 4, null);
    while ((sample[0] ?? 0) >>> 24 !== LIRC_MODE2_TIMEOUT);
  } finally {
    closeSync(fd);
  }
}

const load = () => loadCounter('lirc_mode2');
const programOf = ({ handle }: Counter) => new LircMode2Program(handle);
const trigger = () => send(900, 450, 600);
const already = /the program is attached there already, and this kernel runs a program once in one place/;

linkContract({
  name: 'an infrared device',
  load,
  attach: (counter) => programOf(counter).attach(device),
  trigger,
  twice: already,
  pins: false,
});

describe('a program for infrared devices', () => {
  const counters: Counter[] = [];
  const counted = (): Counter => {
    const counter = load();
    counters.push(counter);
    return counter;
  };
  afterEach(() => {
    for (const counter of counters.splice(0)) counter.close();
  });

  /** Ids of the programs of the device. */
  const attached = (): readonly number[] => {
    const target = openSync(device, 'r');
    try {
      return kernel
        .progQuery({ target: { fd: target }, attachType: BPF_ATTACH_TYPE.LIRC_MODE2 })
        .programs.map(({ id }) => id);
    } finally {
      closeSync(target);
    }
  };

  it('decodes pulses into keys', () => {
    using live = openObject(fileURLToPath(new URL('../testdata/infrared.o', import.meta.url))).load();
    const decode = live.progs.get('decode');
    if (!(decode instanceof LircMode2Program)) throw new Error('decode is of another kind');
    const input = readdirSync('/sys/class/rc/rc0').find((name) => name.startsWith('input'));
    const event = readdirSync(`/sys/class/rc/rc0/${input}`).find((name) => name.startsWith('event'));
    const keys = openSync(`/dev/input/${event}`, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      using link = decode.attach(device);
      expect(link.target).toBe(`lirc_mode2 ${device}`);
      send(1234, 500, 4321);
      expect(scancodes(keys)).toEqual([1234, 4321]);
      link.detach();
      send(1111);
      expect(scancodes(keys)).toEqual([]);
    } finally {
      closeSync(keys);
    }
  });

  it('runs beside others, which the kernel lists, and each ends alone', () => {
    const [one, two] = [counted(), counted()];
    const links = [one, two].map((counter) => programOf(counter).attach(device));
    const ids = [one, two].map(({ handle }) => kernel.progInfo(handle.fd()).id);
    expect(attached()).toEqual(ids);
    links[0]?.detach();
    expect(attached()).toEqual(ids.slice(1));
    trigger();
    expect([one.runs() === 0, two.runs() > 0]).toEqual([true, true]);
    links[1]?.detach();
    expect(attached()).toEqual([]);
  });

  it('attaches to a descriptor that is open for writing, and says of another that it is not', () => {
    const counter = counted();
    for (const [flags, fits] of [
      ['r+', true],
      ['r', false],
    ] as const) {
      const fd = openSync(device, flags);
      try {
        if (fits) programOf(counter).attach(fd).detach();
        else
          expectRefusal(
            () => programOf(counter).attach(fd),
            `descriptor ${fd} was opened for reading only (EPERM). Open it for reading and writing, or pass the path`,
          );
      } finally {
        closeSync(fd);
      }
    }
  });

  it.each([
    ['/dev/lirc77', /there is no \/dev\/lirc77 \(ENOENT\)\. This host has \/dev\/lirc0$/],
    ['/dev/null', /\/dev\/null is not an infrared device that receives raw signals \(EINVAL\)$/],
  ])('is refused by %s', (path, text) => {
    const counter = counted();
    expectRefusal(() => programOf(counter).attach(path), text);
  });

  it('is refused beside 64 others', () => {
    const most = Array.from({ length: 64 }, counted);
    for (const counter of most) programOf(counter).attach(device);
    expect(attached().length).toBe(64);
    const counter = counted();
    expectRefusal(
      () => programOf(counter).attach(device),
      `attach "counter" to lirc_mode2 ${device}: the device already has as many programs as it can (64) (E2BIG)`,
    );
  });
});

/** The MSC_SCAN values among the `struct input_event`s that can be read now: type, code and value behind 16 bytes of time. */
function scancodes(fd: number): number[] {
  const found: number[] = [];
  const event = Buffer.alloc(24);
  const next = (): boolean => {
    try {
      return readSync(fd, event, 0, event.length, null) === event.length;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return false;
      throw error;
    }
  };
  while (next()) if (event.readUInt32LE(16) === 0x0004_0004) found.push(event.readInt32LE(20));
  return found;
}
