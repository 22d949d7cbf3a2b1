import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { syscallError } from '../../runtime/src/kernel/errno.js';
import type { Fd, Kernel } from '../../runtime/src/kernel/kernel.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { SkMsgProgram, SkSkbProgram } from '../../runtime/src/program/index.js';
import { BPF_ATTACH_TYPE, BPF_MAP_TYPE, kernelVersion } from '../../runtime/src/uapi.js';
import { type Counter, loadCounter } from './counter.js';
import './facts.js';
import { expectRefusal, linkContract } from './link-contract.js';
import { receive, sendText, TcpPair } from './sockets.js';

const kernel = linuxKernel();
const hasLinks = kernel.version >= kernelVersion(6, 10);
const SK_PASS = 1;
const withoutLinks: Partial<Kernel> = {
  linkCreate: () => {
    throw syscallError('bpf(BPF_LINK_CREATE)', 22);
  },
};

let map: Fd;
beforeAll(() => {
  map = kernel.mapCreate({
    type: BPF_MAP_TYPE.SOCKMAP,
    keySize: 4,
    valueSize: 4,
    maxEntries: 2,
    name: 'socks',
  });
});
afterAll(() => kernel.close(map));

/** Sends over a connection whose ends are in the map. */
const trigger = () => {
  const pair = new TcpPair();
  const word = (value: number) => new Uint8Array(new Uint32Array([value]).buffer);
  kernel.mapUpdate(map, word(0), word(pair.client));
  kernel.mapUpdate(map, word(1), word(pair.server));
  sendText(pair.client, 'x');
  receive(pair.server);
  pair.close();
};

/** A parser runs only beside a verdict, which is attached here by hand. */
function besideVerdict(counter: Counter): Counter {
  const verdict = loadCounter('sk_skb/stream_verdict', SK_PASS);
  const on = { target: map, prog: verdict.handle.fd(), attachType: BPF_ATTACH_TYPE.SK_SKB_STREAM_VERDICT };
  kernel.progAttach(on);
  return {
    ...counter,
    close() {
      kernel.progDetach(on);
      verdict.close();
      counter.close();
    },
  };
}

const programOf = ({ handle }: Counter) =>
  handle.section === 'sk_msg' ? new SkMsgProgram(handle) : new SkSkbProgram(handle);

for (const [how, over] of [
  ['', {}],
  [' by BPF_PROG_ATTACH', withoutLinks],
] as const) {
  for (const section of ['sk_msg', 'sk_skb/stream_verdict', 'sk_skb/verdict', 'sk_skb/stream_parser']) {
    linkContract({
      name: `SEC("${section}")${how}`,
      pins: how === '' && hasLinks,
      load: () => {
        const counter = loadCounter(section, SK_PASS, over);
        return section === 'sk_skb/stream_parser' ? besideVerdict(counter) : counter;
      },
      attach: (counter) => programOf(counter).attach({ fd: map, name: 'socks' }),
      trigger,
      twice: /the map already has program "counter" id \d+ in this place/,
    });
  }
}

linkContract({
  name: 'SEC("sk_skb") in a role that the call says',
  pins: hasLinks,
  load: () => loadCounter('sk_skb', SK_PASS),
  attach: ({ handle }) => new SkSkbProgram(handle).attach(map, { role: 'verdict' }),
  trigger,
  twice: /the map already has program "counter" id \d+ in this place/,
});

describe('a program for the sockets of a map', () => {
  const counters: Counter[] = [];
  const load = (section: string, over: Partial<Kernel> = {}) => {
    const counter = loadCounter(section, SK_PASS, over);
    counters.push(counter);
    return counter;
  };
  afterEach(() => {
    for (const counter of counters.splice(0)) counter.close();
  });

  it('is told that a map has no sockets', () => {
    const program = new SkMsgProgram(load('sk_msg').handle);
    const other = kernel.mapCreate({
      type: BPF_MAP_TYPE.HASH,
      keySize: 4,
      valueSize: 4,
      maxEntries: 1,
      name: 'other',
    });
    expectRefusal(() => program.attach(other), 'the map is a HASH: sockets are in a SOCKMAP or a SOCKHASH');
    kernel.close(other);
    expectRefusal(() => program.attach(program.fd), `descriptor ${program.fd} is not of a map`);
  });

  it('does not share the verdict with the other way to say it', () => {
    const one = new SkSkbProgram(load('sk_skb/verdict').handle);
    const two = new SkSkbProgram(load('sk_skb/stream_verdict').handle);
    one.attach(map);
    expectRefusal(
      () => two.attach(map),
      new RegExp(`the map already has program "counter" id ${one.info().id} in this place`),
    );
  });

  it('needs a role', () => {
    const program = new SkSkbProgram(load('sk_skb').handle);
    expectRefusal(() => program.attach(map), `SEC("sk_skb") does not say what the program does`);
  });

  it('takes the place of one that no link holds, when that is asked for', () => {
    const one = new SkMsgProgram(load('sk_msg', withoutLinks).handle);
    const two = new SkMsgProgram(load('sk_msg').handle);
    const first = one.attach(map);
    const second = two.attach(map, { replace: true });
    first.detach();
    const there = () => kernel.progQuery({ target: { fd: map }, attachType: BPF_ATTACH_TYPE.SK_MSG_VERDICT });
    expect(there().programs.map(({ id }) => id)).toEqual([two.info().id]);
    second.detach();
    expect(there().programs).toEqual([]);
  });

  it.runIf(hasLinks)('does not take the place of one that a link holds', () => {
    const one = new SkMsgProgram(load('sk_msg').handle);
    const two = new SkMsgProgram(load('sk_msg').handle);
    one.attach(map);
    expectRefusal(
      () => two.attach(map, { replace: true }),
      /the map already has program .* that no bpf_link holds/,
    );
  });

  it.each([
    ['a bpf_link', {}],
    ['BPF_PROG_ATTACH', withoutLinks],
  ] as const)('is exchanged, with %s', (_how, over) => {
    const [one, two] = [load('sk_msg', over), load('sk_msg')];
    const link = new SkMsgProgram(one.handle).attach(map);
    link.update(new SkMsgProgram(two.handle));
    trigger();
    expect([one.runs(), two.runs()]).toEqual([0, 1]);
  });
});
