import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { BPF_ATTACH_TYPE } from '../../runtime/src/uapi.js';
import { cable } from './cable.js';
import { kernelHas } from './facts.js';
import { RunningExample } from './running-example.js';

const { near, peer, receive, send } = cable();

/** Programs and filters that are on the device now. */
const there = () => {
  const kernel = linuxKernel();
  const ifindex = kernel.ifindex(near);
  const filters = (['ingress', 'egress'] as const).flatMap((way) => kernel.filterQuery(ifindex, way));
  if (!kernelHas.tcx) return filters.length;
  const types = [BPF_ATTACH_TYPE.TCX_INGRESS, BPF_ATTACH_TYPE.TCX_EGRESS];
  const programs = types.flatMap((attachType) => {
    try {
      return kernel.progQuery({ target: { ifindex }, attachType }).programs;
    } catch {
      return []; // A hook that never had a program is ENOENT on some kernels.
    }
  });
  return filters.length + programs.length;
};

describe('examples/traffic', () => {
  it('shows what a device receives and sends, and leaves nothing behind', async () => {
    await using traffic = new RunningExample('traffic', [near]);
    await traffic.until(/^attached to (tcx|tc) \S+ ingress.* and (tcx|tc) \S+ egress/m);
    expect(there()).toBe(2);
    await traffic.until(/^ {2}UDP +received +[1-9][\d,]* B\/s #+/m, receive);
    await traffic.until(/^ {2}UDP +received .* sent +[1-9][\d,]* B\/s #+/m, send);
    expect(await traffic.interrupt()).toBe(0);
    expect(there()).toBe(0);
  });

  it('drops what is more than the device may send', async () => {
    await using traffic = new RunningExample('traffic', [near, '--limit', '200']);
    await traffic.until(/^attached/m);
    // The bucket holds 64 KiB: packets of 1 KiB empty it.
    const flood = () => {
      const much = 'for i in {1..100}; do printf "%01000d" 0 > /dev/udp/$0/9; done 2>&-';
      execFileSync('bash', ['-c', `${much}; true`, peer], { stdio: 'pipe' });
    };
    await traffic.until(/^ {2}UDP .* [1-9]\d* packets dropped$/m, flood);
    expect(await traffic.interrupt()).toBe(0);
  });

  it.each([
    ['a device that is not there', ['nosuchdev0'], 1, /no network device called nosuchdev0/],
    ['a limit that is no number', ['lo', '--limit', 'much'], 2, /^usage: /],
  ])('refuses %s in one sentence', async (_name, args, status, message) => {
    await using traffic = new RunningExample('traffic', args);
    expect(await traffic.ended()).toBe(status);
    expect(traffic.stdout).toBe('');
    expect(traffic.stderr.trim().split('\n')).toHaveLength(1);
    expect(traffic.stderr).toMatch(message);
  });
});
