import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import type { BpfMap } from '../../runtime/src/map/map.js';
import { perfEventArray } from '../../runtime/src/map/perf-event-array.js';
import { ringbuf } from '../../runtime/src/map/ringbuf.js';
import { userRingbuf } from '../../runtime/src/map/user-ringbuf.js';
import { kernelVersion } from '../../runtime/src/uapi.js';
import { Sample } from '../unit/live-map.js';
import { mapContract } from './map-contract.js';
import { perfSender, ringSender } from './sender.js';

const kernel = linuxKernel();

const attributes = { keySize: 0, valueSize: 0, maxEntries: 4096 };

/** A program sends one record, of 16 bytes. */
function sendTo({ fd }: BpfMap, senderOf = ringSender): void {
  const sender = senderOf(fd);
  sender.send(1);
  sender.close();
}

mapContract({
  type: 'RINGBUF',
  shape: ringbuf(Sample),
  attributes,
  put: (map) => sendTo(map),
  see: (map) => map.consume().map((record) => typeof record.pid),
  shown: ['number'],
  refuse: (map) => {
    sendTo(map);
    map.consume(() => map.consume());
  },
  refusal: /^read map "table": it already has a consumer/,
});

mapContract({
  type: 'USER_RINGBUF',
  when: kernel.version >= kernelVersion(6, 1),
  shape: userRingbuf(),
  attributes,
  put: (map) => map.send(new Uint8Array(16)),
  see: (map) => map.stats().pending,
  shown: 16 + 8,
  refuse: (map) => map.reserve(4096),
  refusal: /^reserve 4096 bytes in map "table": its records have 0 to 4088 bytes/,
});

mapContract({
  type: 'PERF_EVENT_ARRAY',
  shape: perfEventArray(Sample),
  attributes: { keySize: 4, valueSize: 4, maxEntries: kernel.possibleCpus() },
  // Programs write to the events that this process opened, when it first looked.
  put: (map) => {
    map.consume();
    sendTo(map, perfSender);
  },
  see: (map) => map.consume().map((record) => typeof record.pid),
  shared: false,
  shown: ['number'],
  refuse: (map) => {
    map.consume();
    map.count({ type: 'software', config: 'cpu-clock' });
  },
  refusal: /^count .* in map "table": it has perf events already/,
});
