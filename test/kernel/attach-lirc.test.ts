import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LircMode2Program } from '../../runtime/src/program/index.js';
import { Agent } from './agent.js';
import { loadCounter } from './counter.js';
import './facts.js';
import { expectRefusal, linkContract, openFds } from './link-contract.js';

const device = '/dev/lirc0';
// A device that receives what is sent to it.
if (!existsSync(device)) spawnSync('modprobe', ['rc-loopback']);
const hasDevice = existsSync(device);

/** A pulse, a space and a pulse, in microseconds. */
const trigger = () => {
  const agent = new Agent();
  agent.do(
    `open(my $f, '+>', '${device}') or die "$!"; syswrite($f, pack('L3', 9000, 4500, 560)) or die "$!"`,
  );
  agent.close();
};

linkContract({
  name: 'SEC("lirc_mode2")',
  when: hasDevice,
  load: () => loadCounter('lirc_mode2'),
  attach: ({ handle }) => new LircMode2Program(handle).attach(device),
  trigger,
  twice: /the program is attached there already, .* \(EEXIST\)/,
});

describe.runIf(hasDevice)('an infrared device', () => {
  it('is given by a descriptor that is open for both', () => {
    const counter = loadCounter('lirc_mode2');
    const program = new LircMode2Program(counter.handle);
    const [both, one, other] = [openSync(device, 'r+'), openSync(device, 'r'), openSync('/dev/null', 'r+')];
    program.attach(both).detach();
    expectRefusal(
      () => program.attach(one),
      `descriptor ${one} was opened for reading only (EPERM). Open it for`,
    );
    expectRefusal(
      () => program.attach(other),
      `descriptor ${other} is not an infrared device that receives raw signals`,
    );
    for (const fd of [both, one, other]) closeSync(fd);
    counter.close();
  });

  it('is named by those there are', () => {
    const counter = loadCounter('lirc_mode2');
    const before = openFds();
    expect(() => new LircMode2Program(counter.handle).attach('/dev/lirc77')).toThrow(
      `attach "counter" to lirc_mode2 /dev/lirc77: there is no /dev/lirc77 (ENOENT). This host has ${device}`,
    );
    expect(openFds()).toBe(before);
    counter.close();
  });
});
