import { describe, expect, it } from 'vitest';
import { attachError } from '../../runtime/src/link/attach-error.js';
import { Link } from '../../runtime/src/link/link.js';
import { nearest } from '../../runtime/src/link/nearest.js';
import { releaseAll } from '../../runtime/src/link/release.js';
import { fakeHost } from './fake-host.js';

function link(release: () => void, fd?: number) {
  const { kernel } = fakeHost();
  return new Link({
    kernel,
    program: 'p',
    target: 'somewhere',
    release,
    ...(fd === undefined ? {} : { fd }),
  });
}

describe('a link', () => {
  it('releases once, however often it is detached', () => {
    let released = 0;
    const it = link(() => {
      released += 1;
    });
    it.detach();
    it.detach();
    it[Symbol.dispose]();
    expect(released).toBe(1);
    expect(it.attached).toBe(false);
  });

  it('tells its owner when it ends, even when releasing throws', () => {
    let told = 0;
    const failing = link(() => {
      throw new Error('no');
    });
    failing.onDetach(() => {
      told += 1;
    });
    expect(() => failing.detach()).toThrow('no');
    failing.detach();
    expect(told).toBe(1);
  });

  it('is not pinned or asked for ids after its end', () => {
    const ended = link(() => undefined, 5);
    ended.detach();
    expect(() => ended.pin('/x')).toThrow('pin link of "p": it is detached');
    expect(() => ended.info()).toThrow('read the info of link of "p": it is detached');
  });
});

describe('releaseAll', () => {
  it('runs every step and then throws the first error', () => {
    const ran: number[] = [];
    const step =
      (n: number, fails = false) =>
      () => {
        ran.push(n);
        if (fails) throw new Error(`step ${n}`);
      };
    expect(() => releaseAll(step(1), step(2, true), undefined, step(3, true), step(4))).toThrow('step 2');
    expect(ran).toEqual([1, 2, 3, 4]);
  });
});

describe('nearest', () => {
  const cases: [string, string[], string[]][] = [
    ['do_unlinkatt', ['do_unlinkat', 'do_rmdir'], ['do_unlinkat']],
    [
      'sys_execve',
      ['__x64_sys_execve', '__x64_sys_execveat', 'execve'],
      ['execve', '__x64_sys_execve', '__x64_sys_execveat'],
    ],
    ['TCP_CONNECT', ['tcp_connect'], ['tcp_connect']],
    ['abc', ['abcdefgh', 'abd'], ['abd']],
    ['same', ['same'], []],
    ['', ['a'], ['a']],
    ['tcp_conenct', ['tcp_connect', 'tcp_content'], ['tcp_connect', 'tcp_content']],
    ['xpd', ['xdp', 'tcx', 'xpq'], ['xdp', 'xpq']],
    ['ab', ['ba'], ['ba']],
    ['do_sys_openat2', ['do_sys_ponaet2', 'od_sys_openat2'], ['od_sys_openat2', 'do_sys_ponaet2']],
  ];
  it.each(cases)('of %s among %o is %o', (name, candidates, expected) => {
    expect(nearest(name, candidates)).toEqual(expected);
  });

  it('stops at the limit and does not repeat itself', () => {
    const many = Array.from({ length: 50 }, (_, index) => `name_${index % 10}`);
    expect(nearest('name_x', many, 3)).toEqual(['name_0', 'name_1', 'name_2']);
  });

  it('passes over as many names as a kernel has within seconds', () => {
    const many = Array.from({ length: 200_000 }, (_, index) => `function_number_${index}`);
    const start = performance.now();
    expect(nearest('functoin_number_77', many)[0]).toBe('function_number_77');
    expect(performance.now() - start).toBeLessThan(15_000);
  });
});

describe('attachError', () => {
  it("leaves errors that are not the kernel's as they are", () => {
    const bug = new TypeError('bug');
    expect(attachError({ program: 'p', target: 't' }, bug, { why: 'x' })).toBe(bug);
  });
});
