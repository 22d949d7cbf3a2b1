import { BpfError, printable } from '../errors.js';
import { formatIp, parseIp } from './ip-text.js';

/** The first `length` bits of `bytes`: what a trie has as a key, whatever the bytes stand for. */
export class Prefix {
  /** As many bytes as the trie's keys have data; bits behind `length` count for nothing. */
  readonly bytes: Uint8Array;
  /** In bits. */
  readonly length: number;

  /** @throws BpfError ERR_BPF_RANGE when `length` is no number of bits of `bytes`. */
  constructor(bytes: Uint8Array, length = bytes.length * 8) {
    if (!(Number.isInteger(length) && length >= 0 && length <= bytes.length * 8)) {
      throw new BpfError(
        'ERR_BPF_RANGE',
        `a prefix of ${length} bits: ${bytes.length} bytes have from 0 to ${bytes.length * 8}`,
      );
    }
    this.bytes = bytes;
    this.length = length;
  }

  /**
   * `10.0.0.0/8`, `2001:db8::/32`, or an address, which is a prefix of all its bits. Bits behind the prefix become zero:
   * `10.1.2.3/8` is `10.0.0.0/8`.
   * @throws BpfError ERR_BPF_ARGUMENT when it is none of them.
   */
  static parse(text: string): Prefix {
    const [address = '', length, ...more] = text.split('/');
    const bytes = parseIp(address);
    const bits = length === undefined ? undefined : /^\d{1,3}$/.test(length) ? Number(length) : -1;
    if (bytes === undefined || more.length > 0 || bits === -1) {
      throw new BpfError(
        'ERR_BPF_ARGUMENT',
        `"${printable(text, 60)}" is no IP address or prefix, such as 10.1.2.3, 10.0.0.0/8 or 2001:db8::/32`,
      );
    }
    const total = bytes.length * 8;
    if (bits !== undefined && bits > total) {
      throw new BpfError('ERR_BPF_RANGE', `"${text}" asks for ${bits} bits of an address that has ${total}`);
    }
    return new Prefix(masked(bytes, bits ?? total), bits ?? total);
  }

  /** As an IP prefix when the bytes are 4 or 16, else in hex: `0a000000ff/36`. */
  toString(): string {
    const { bytes, length } = this;
    const isIp = bytes.length === 4 || bytes.length === 16;
    const hex = () => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return `${isIp ? formatIp(bytes) : hex()}/${length}`;
  }
}

function masked(bytes: Uint8Array, bits: number): Uint8Array {
  return bytes.map((byte, index) => {
    const kept = Math.min(8, Math.max(0, bits - index * 8));
    return byte & (0xff00 >> kept);
  });
}
