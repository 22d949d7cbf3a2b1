import { describe, expect, it } from 'vitest';
import { formatIp, parseIp } from '../../runtime/src/map/ip-text.js';
import { Prefix } from '../../runtime/src/map/prefix.js';

describe('the text of an IP address', () => {
  it.each([
    ['10.1.2.3', '0a010203'],
    ['0.0.0.0', '00000000'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['2001:db8::', '20010db8000000000000000000000000'],
    ['2001:db8::a:0:0:1', '20010db800000000000a000000000001'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['1:2:3:4:5:6:0:8', '00010002000300040005000600000008'],
    ['fe80::ffff:ffff:ffff:ffff', 'fe80000000000000ffffffffffffffff'],
    ['::ffff:10.1.2.3', '00000000000000000000ffff0a010203'],
  ])('%s is read, and written as it was', (text, hex) => {
    const bytes = parseIp(text);
    expect(Buffer.from(bytes ?? []).toString('hex')).toBe(hex);
    expect(formatIp(Buffer.from(hex, 'hex'))).toBe(text);
  });

  it.each([
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['1:0:0:4:5:6:7:8', '1::4:5:6:7:8'],
    ['64:ff9b::10.1.2.3', '64:ff9b::a01:203'],
    ['1::3:4:5:6:7:8', '1:0:3:4:5:6:7:8'],
  ])('%s is the same as %s', (text, canonical) => {
    expect(formatIp(parseIp(text) ?? new Uint8Array(4))).toBe(canonical);
  });

  it.each([
    '',
    '10',
    '10.1.2',
    '10.1.2.3.4',
    '10.1.2.256',
    '10.01.2.3',
    '10.1.2.-3',
    ' 10.1.2.3',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4::5:6:7:8',
    '12345::',
    'g::',
    '::1.2.3',
    '1.2.3.4::',
    '::1.2.3.4:5',
    'fe80::1%eth0',
  ])('"%s" is none', (text) => expect(parseIp(text)).toBeUndefined());
});

describe('a prefix', () => {
  it.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['10.255.255.255/9', '10.128.0.0/9'],
    ['10.1.2.3/0', '0.0.0.0/0'],
    ['10.1.2.3', '10.1.2.3/32'],
    ['2001:db8::1/32', '2001:db8::/32'],
    ['2001:db8::1', '2001:db8::1/128'],
  ])('%s is %s', (text, expected) => expect(`${Prefix.parse(text)}`).toBe(expected));

  it.each([
    ['10.0.0.0/33', /asks for 33 bits of an address that has 32/],
    ['::/129', /asks for 129 bits of an address that has 128/],
    ['10.0.0.0/8/8', /is no IP address or prefix/],
    ['10.0.0.0/', /is no IP address or prefix/],
    ['10.0.0.0/-1', /is no IP address or prefix/],
    ['localhost', /is no IP address or prefix/],
    ['\u001b[2J', /"\\u\{1b\}\[2J" is no IP address/],
  ])('%s is none', (text, message) => expect(() => Prefix.parse(text)).toThrow(message));

  it('of other bytes prints in hex', () => {
    expect(new Prefix(new Uint8Array([10, 0, 255]), 20).toString()).toBe('0a00ff/20');
    expect(new Prefix(new Uint8Array([1, 2])).length).toBe(16);
  });

  it('has no more bits than its bytes', () => {
    expect(() => new Prefix(new Uint8Array(2), 17)).toThrow('a prefix of 17 bits: 2 bytes have from 0 to 16');
    expect(() => new Prefix(new Uint8Array(2), 0.5)).toThrow(/a prefix of 0.5 bits/);
  });
});
