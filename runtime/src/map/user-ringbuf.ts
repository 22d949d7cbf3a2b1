import type { Codec } from '../codec/codec.js';
import { raw } from '../codec/raw.js';
import { BpfError } from '../errors.js';
import { BPF_MAP_TYPE } from '../uapi.js';
import { BpfMap, type DeclaresMapKind, type MapHandle, type MapKind, type MapShape, mapKind } from './map.js';
import { mapText } from './map-error.js';
import { type Reservation, UserRing } from './user-ring.js';
import { type RoomOptions, RoomQueue } from './user-ring-room.js';

/** What a user ring buffer has been given so far. */
export interface UserRingStats {
  /** Bytes of the buffer. */
  readonly size: number;
  /** Bytes that programs have not drained yet, headers and reservations included. */
  readonly pending: number;
  /** Records submitted. */
  readonly records: number;
  /** Bytes of those, without their headers. */
  readonly bytes: number;
  /** Records reserved and then given up. */
  readonly discarded: number;
  /** How often `send` and `reserve` found no room. */
  readonly full: number;
}

/**
 * BPF_MAP_TYPE_USER_RINGBUF: records from this process to programs, which take them with bpf_user_ringbuf_drain, in the
 * order in which they were reserved. As libbpf's user_ring_buffer, it has one producer: other threads and processes that
 * have the map must not write to it meanwhile. Linux 6.1.
 */
export class UserRingBuffer<T> extends BpfMap {
  readonly #codec: Codec<T>;
  #ring: UserRing | undefined;
  #room: RoomQueue | undefined;
  #full = 0;

  constructor(handle: MapHandle, codec: Codec<T>) {
    super(handle);
    this.#codec = codec;
    handle.onClose(() => this.#close());
  }

  /**
   * Sends a record. False when there is no room now: see {@link sendWhenRoom}.
   * @param size bytes of the record, for a type that ends in a flexible array; else the type says it
   * @throws BpfError ERR_BPF_RANGE when no buffer of this size ever has room for it
   */
  send(record: T, size = this.#sizeOf(record)): boolean {
    const reservation = this.reserve(size);
    if (reservation === undefined) return false;
    this.#fill(reservation, record);
    return true;
  }

  /** Sends a record as soon as there is room; those who wait are served in the order in which they came. */
  async sendWhenRoom(record: T, options: RoomOptions & { readonly size?: number } = {}): Promise<void> {
    const size = options.size ?? this.#sizeOf(record);
    this.#fill(await this.reserveWhenRoom(size, options), record);
  }

  /**
   * Room for a record of `size` bytes, all zero, to be written to and then submitted or discarded; undefined when there
   * is none now. Until then programs get neither this record nor a later one.
   * @throws BpfError ERR_BPF_RANGE when no buffer of this size ever has so much room
   */
  reserve(size = this.#codec.size): Reservation | undefined {
    const reservation = this.#open().reserve(size);
    if (reservation === undefined) this.#full++;
    return reservation;
  }

  /**
   * As {@link reserve}, when there is room (libbpf: user_ring_buffer__reserve_blocking): looks again each time a program
   * drained the buffer. Keeps the process alive meanwhile.
   * @throws what the signal was aborted with; BpfError ERR_BPF_STATE when the object is destroyed meanwhile
   */
  async reserveWhenRoom(size = this.#codec.size, options: RoomOptions = {}): Promise<Reservation> {
    const ring = this.#open();
    this.#room ??= new RoomQueue(this.handle, ring);
    return this.#room.wait(size, options);
  }

  stats(): UserRingStats {
    const { size, pending, records, bytes, discarded } = this.#open();
    return { size, pending, records, bytes, discarded, full: this.#full };
  }

  #open(): UserRing {
    this.handle.fd();
    this.#ring ??= new UserRing(this.handle);
    return this.#ring;
  }

  #close(): void {
    this.#room?.close(
      new BpfError('ERR_BPF_STATE', `wait for room in ${mapText(this.handle)}: its object is destroyed`),
    );
    this.#ring?.close();
  }

  /** Records without a type are as long as they are. */
  #sizeOf(record: T): number {
    if (this.#codec.sizeOf !== undefined) return this.#codec.sizeOf(record);
    return this.#codec.size === 0 && record instanceof Uint8Array ? record.length : this.#codec.size;
  }

  #fill(reservation: Reservation, record: T): void {
    try {
      this.#codec.write(reservation.view, 0, record);
    } catch (error) {
      reservation.discard();
      throw error;
    }
    reservation.submit();
  }
}

/** `userRingbuf(Command)`, or `userRingbuf()` for raw bytes; `asked` is the type of C that somebody else than C named: a BPF_MAP_TYPE_USER_RINGBUF in a skeleton. */
export const userRingbuf: (<T = Uint8Array>(
  record?: Codec<T>,
  asked?: string,
) => MapShape<UserRingBuffer<T>>) &
  DeclaresMapKind = mapKind(
  {
    kindName: 'userRingbuf',
    types: [BPF_MAP_TYPE.USER_RINGBUF],
    codecs: ['value'],
    codecsAreRecords: true,
    open: (handle, _key, record) => new UserRingBuffer<unknown>(handle, record ?? raw),
  },
  (kind) =>
    <T = Uint8Array>(record?: Codec<T>, asked?: string): MapShape<UserRingBuffer<T>> => ({
      // open() is given this very codec.
      kind: kind as MapKind<UserRingBuffer<T>>,
      value: record ?? raw,
      ...(asked !== undefined && { asked }),
    }),
);
