import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningExample } from './running-example.js';

/** Names of the programs that the kernel holds. */
function programs(): string[] {
  const list: { name?: string }[] = JSON.parse(
    execFileSync('bpftool', ['-j', 'prog', 'show'], { encoding: 'utf8' }),
  );
  return list.flatMap(({ name }) => name ?? []);
}

describe('examples/hello', () => {
  const kprobes = existsSync('/sys/bus/event_source/devices/kprobe');
  const server: Server = createServer((socket) => socket.end());

  beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
  afterAll(() => void server.close());

  /** One connect(2). */
  const greet = () =>
    new Promise<void>((resolve, reject) => {
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('the server has no port');
      connect(address.port, '127.0.0.1')
        .on('close', () => resolve())
        .on('error', reject)
        .resume();
    });

  it('prints what the kernel says at every connect, and ends on Ctrl-C with nothing left in the kernel', async () => {
    await using hello = new RunningExample('hello');
    const [, target] = await hello.until(/^attached to (.*)$/m);
    expect(target).toMatch(
      kprobes ? /^kprobe security_socket_connect/ : /^tracepoint syscalls\/sys_enter_connect/,
    );
    if (!kprobes) expect(hello.stderr).toContain('this kernel has no kprobes');
    expect(programs()).toContain(kprobes ? 'hello' : 'hello_tracepoint');

    await hello.until(/bpf_trace_printk: Hello eBPF!/, greet);
    expect(await hello.interrupt()).toBe(0);
    // The kernel frees programs a moment after the last reference goes.
    await expect.poll(programs, { timeout: 20_000 }).not.toContain(kprobes ? 'hello' : 'hello_tracepoint');
  });

  it('says what is missing in one sentence without the right to load programs', async () => {
    await using hello = new RunningExample(
      'hello',
      [],
      ['setpriv', '--bounding-set=-all', '--inh-caps=-all'],
    );
    expect(await hello.ended()).toBe(1);
    expect(hello.stdout).toBe('');
    expect(hello.stderr.trim().split('\n')).toHaveLength(1);
    expect(hello.stderr).toMatch(/CAP_BPF|CAP_SYS_ADMIN/);
  });
});
