import { BpfError } from '../errors.js';
import type { Kernel } from '../kernel/kernel.js';
import { ReaderGroup } from './reader-group.js';
import { type RecordMap, sourceOf } from './record-map.js';
import type { LostListener, RecordReader } from './record-reader.js';
import type { Consumer, RecordSource, Source } from './record-source.js';
import { type RecordStream, SourceStream } from './record-stream.js';
import type { AnyStreamOptions } from './subscription.js';

/** A record and the name of the map that it is from, for each of the maps. */
export type MergedRecord<Maps extends Readonly<Record<string, RecordMap<unknown>>>> = {
  [Name in keyof Maps & string]: {
    readonly map: Name;
    readonly record: Maps[Name] extends RecordMap<infer Record, infer _Options> ? Record : never;
  };
}[keyof Maps & string];

/**
 * The records of several ring or perf buffers as one stream, waited for together.
 *
 * ```ts
 * const { execs, exits } = skel.maps;
 * for await (const { map, record } of mergeRecords({ execs, exits })) {
 *   if (map === 'execs') console.log(record.filename);
 * }
 * ```
 *
 * The buffers take turns; records of one stay in order, those of different ones have none. The stream is the consumer of
 * each of the maps, and ends when the object of any of them is detached or destroyed.
 * @throws BpfError ERR_BPF_ARGUMENT without maps, or with one of them twice
 */
export function mergeRecords<const Maps extends Readonly<Record<string, RecordMap<unknown>>>>(
  maps: Maps,
): RecordStream<MergedRecord<Maps>, AnyStreamOptions> {
  const named = Object.entries(maps);
  const [first] = named;
  if (first === undefined) throw new BpfError('ERR_BPF_ARGUMENT', 'merge records: no map was given');
  if (new Set(named.map(([, map]) => map)).size < named.length) {
    throw new BpfError('ERR_BPF_ARGUMENT', 'merge records: a map was given twice');
  }
  const sources = named.map(([name, map]) => ({ name, source: sourceOf(map) }));
  const merged: Source<{ map: string; record: unknown }> = new MergedSource(
    sources,
    sourceOf(first[1]).kernel,
  );
  // Names and records are those of the maps.
  return new SourceStream(merged as Source<unknown> as Source<MergedRecord<Maps>>);
}

interface NamedSource {
  readonly name: string;
  readonly source: RecordSource<unknown>;
}

class MergedSource implements Source<{ map: string; record: unknown }> {
  readonly kernel: Kernel;
  readonly #sources: readonly NamedSource[];

  constructor(sources: readonly NamedSource[], kernel: Kernel) {
    this.#sources = sources;
    this.kernel = kernel;
  }

  get records(): number {
    return this.#sources.reduce((total, { source }) => total + source.records, 0);
  }

  reader(): RecordReader {
    const [first, ...others] = this.#sources.map(({ source }) => source.reader());
    if (first === undefined) throw new TypeError('there is a map at least');
    // Each map closes its own.
    return new ReaderGroup([first, ...others]);
  }

  claim(consumer: Consumer, onLost?: LostListener): void {
    try {
      for (const { source } of this.#sources) source.claim(consumer, onLost);
    } catch (error) {
      this.unclaim(consumer);
      throw error;
    }
  }

  unclaim(consumer: Consumer): void {
    for (const { source } of this.#sources) source.unclaim(consumer);
  }

  decode(reader: RecordReader): { map: string; record: unknown } {
    const one = this.#sources[reader.index];
    if (one === undefined) throw new TypeError('the reader is of as many maps');
    return { map: one.name, record: one.source.decode(reader) };
  }

  woken(): void {
    for (const { source } of this.#sources) source.woken();
  }
}
