import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LircMode2Program } from '../../runtime/src/program/index.js';
import { loadCounter } from './counter.js';
import './facts.js';
import { expectRefusal } from './link-contract.js';

// Kernels of distributions are built without CONFIG_BPF_LIRC_MODE2: they load no such program, so one of another kind
// stands for it. What happens on a device is tested in a kernel that has it (test/kernel-built).
describe('a program for infrared devices', () => {
  it.each([
    ['/dev/lirc77', /lirc_mode2 \/dev\/lirc77: there is no \/dev\/lirc77 \(ENOENT\)\. This host has /],
    ['/dev/null', /\/dev\/null is not an infrared device that receives raw signals \(EINVAL\)/],
  ])('is refused by %s', (device, text) => {
    expect(existsSync('/dev/lirc77')).toBe(false);
    const counter = loadCounter('socket');
    const program = new LircMode2Program(counter.handle);
    expectRefusal(() => program.attach(device), text);
    counter.close();
  });
});
