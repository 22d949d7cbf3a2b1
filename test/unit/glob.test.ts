import { describe, expect, it } from 'vitest';
import { globMatch, isGlob } from '../../runtime/src/link/glob.js';

describe('a glob', () => {
  const cases: [pattern: string, text: string, matches: boolean][] = [
    ['tcp_*', 'tcp_v4_connect', true],
    ['tcp_*', 'tcp_', true],
    ['tcp_*', 'xtcp_v4', false],
    ['*_connect', 'tcp_v4_connect', true],
    ['*_connect', 'tcp_v4_connected', false],
    ['tcp_v?_connect', 'tcp_v6_connect', true],
    ['tcp_v?_connect', 'tcp_v_connect', false],
    ['*', '', true],
    ['?', '', false],
    ['', '', true],
    ['', 'a', false],
    ['a**b', 'ab', true],
    ['a*b*c', 'a_b_b_c', true],
    ['a*b*c', 'a_c_b', false],
    ['finish_task_switch.isra.0', 'finish_task_switch.isra.0', true],
    ['finish_task_switch.isra.0', 'finish_task_switchXisra.0', false],
    ['[ab]', 'a', false],
  ];
  it.each(cases)('%s and %s: %s', (pattern, text, matches) => {
    expect(globMatch(text, pattern)).toBe(matches);
  });

  it('takes no longer for hostile patterns', () => {
    const begin = performance.now();
    expect(globMatch('a'.repeat(2000), `${'*a'.repeat(200)}*b`)).toBe(false);
    expect(performance.now() - begin).toBeLessThan(1000);
  });

  it('is what has a star or a question mark', () => {
    expect(['vfs_read', 'vfs_*', 'vfs_rea?'].map(isGlob)).toEqual([false, true, true]);
  });
});
