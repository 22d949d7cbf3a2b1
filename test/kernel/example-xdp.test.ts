import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningExample } from './running-example.js';

const namespace = `bpfskel-${process.pid}`;
const inside = ['ip', 'netns', 'exec', namespace];

/** Sends a datagram to itself inside the namespace; what it prints says whether it arrived. */
const sendToSelf = `
  const socket = require('node:dgram').createSocket('udp4');
  socket.on('message', () => { console.log('arrived'); process.exit(); });
  socket.bind(0, '127.0.0.1', () => socket.send('x', socket.address().port, '127.0.0.1'));
  setTimeout(() => { console.log('lost'); process.exit(); }, 1500);`;

function datagram(): string {
  const [program = '', ...args] = [...inside, process.execPath, '-e', sendToSelf];
  return execFileSync(program, args, { encoding: 'utf8' }).trim();
}

const link = () => execFileSync('ip', ['-n', namespace, 'link', 'show', 'dev', 'lo'], { encoding: 'utf8' });

describe('examples/xdp', () => {
  beforeAll(() => {
    execFileSync('ip', ['netns', 'add', namespace]);
    execFileSync('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);
  });
  afterAll(() => void execFileSync('ip', ['netns', 'del', namespace]));

  it('counts packets by protocol on the device and in the mode it was given, and lets go on Ctrl-C', async () => {
    await using xdp = new RunningExample('xdp', ['lo', '--mode', 'generic'], inside);
    await xdp.until(/^attached to xdp lo \(generic\)$/m);
    expect(link()).toContain('xdpgeneric');
    expect(datagram()).toBe('arrived');
    await xdp.until(/^ {2}UDP +[1-9]\d* packets, [1-9]\d* bytes$/m);
    expect(await xdp.interrupt()).toBe(0);
    expect(link()).not.toContain('xdp');
  });

  it('drops the protocol it was told to', async () => {
    await using xdp = new RunningExample('xdp', ['lo', '--mode', 'generic', '--drop', '17'], inside);
    await xdp.until(/^attached/m);
    expect(datagram()).toBe('lost');
    await xdp.until(/^ {2}UDP +[1-9]\d* packets/m);
    expect(await xdp.interrupt()).toBe(0);
    expect(datagram()).toBe('arrived');
  });

  it.each([
    ['a device that is not there', ['nosuchdev0'], 1, /nosuchdev0/],
    ['a mode that lo does not have', ['lo', '--mode', 'native'], 1, /lo.*native|native.*lo/],
    ['a mode that nobody has', ['lo', '--mode', 'fast'], 2, /^usage: /],
  ])('refuses %s in one sentence', async (_name, args, status, message) => {
    await using xdp = new RunningExample('xdp', args, inside);
    expect(await xdp.ended()).toBe(status);
    expect(xdp.stdout).toBe('');
    expect(xdp.stderr.trim().split('\n')).toHaveLength(1);
    expect(xdp.stderr).toMatch(message);
  });
});
