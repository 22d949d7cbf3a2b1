import type { Codec } from '../codec/codec.js';
import type { RecordListener } from './delivery.js';
import { BpfMap, type MapHandle } from './map.js';
import type { Records } from './record-iterator.js';
import type { LostListener, RecordReader } from './record-reader.js';
import { RecordSource, type RecordStats } from './record-source.js';
import { type RecordStream, SourceStream } from './record-stream.js';
import type { StreamOptions, Subscription } from './subscription.js';

/** The source of a map's records, for those who read several maps at once. */
export let sourceOf: <T>(map: RecordMap<T>) => RecordSource<T>;

/** A map whose contents are a stream of records. */
export abstract class RecordMap<T, Options extends StreamOptions = StreamOptions>
  extends BpfMap
  implements RecordStream<T, Options>
{
  readonly #source: RecordSource<T>;
  readonly #stream: SourceStream<T, Options>;

  static {
    sourceOf = (map) => map.#source;
  }

  constructor(handle: MapHandle, codec: Codec<T>, openReader: (onLost: LostListener) => RecordReader) {
    super(handle);
    this.#source = new RecordSource(handle, codec, openReader);
    this.#stream = new SourceStream(this.#source);
  }

  subscribe(listener: RecordListener<T>, options?: Options): Subscription<T> {
    return this.#stream.subscribe(listener, options);
  }

  records(options?: Options): Records<T> {
    return this.#stream.records(options);
  }

  [Symbol.asyncIterator](): Records<T> {
    return this.records();
  }

  consume(): T[];
  consume(listener: RecordListener<T>, options?: Pick<Options, 'onError'>): number;
  consume(listener?: RecordListener<T>, options?: Pick<Options, 'onError'>): T[] | number {
    return listener === undefined ? this.#stream.consume() : this.#stream.consume(listener, options);
  }

  /** What the stream has seen so far. */
  stats(): RecordStats {
    return this.#source.stats();
  }
}
