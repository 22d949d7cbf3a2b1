import { describe, expect, it } from 'vitest';
import { ERRNO, syscallError } from '../../runtime/src/kernel/errno.js';
import { KretsyscallProgram, KsyscallProgram } from '../../runtime/src/program/index.js';
import { type FakeHost, fakeHost, handleFor } from './fake-host.js';

const pmu = '/sys/bus/event_source/devices/kprobe';

/** A host whose kernel has these functions. */
function hostWith(functions: readonly string[], arch = 'x64'): FakeHost {
  let next = 100;
  const host = fakeHost({
    arch,
    perfEventOpen: ({ target = '' }) => {
      if (!functions.includes(target)) throw syscallError('perf_event_open', ERRNO.ENOENT, target);
      next += 1;
      return next;
    },
  });
  host.file(`${pmu}/type`, '8\n');
  host.file('/proc/kallsyms', functions.map((name) => `ffffffff81000000 T ${name}\n`).join(''));
  return host;
}

const at = (host: FakeHost, section = 'ksyscall/execve') =>
  new KsyscallProgram(handleFor(host, { name: 'on_exec', section }));
const opened = (host: FakeHost) =>
  host.calls.flatMap((call) => /^perfEventOpen.*"target":"([^"]*)"/.exec(call)?.[1] ?? []);

describe('attaching to a system call', () => {
  const wrappers: [arch: string, name: string][] = [
    ['x64', '__x64_sys_execve'],
    ['arm64', '__arm64_sys_execve'],
    ['riscv64', '__riscv_sys_execve'],
    ['s390x', '__s390x_sys_execve'],
    ['ppc64', '__powerpc_sys_execve'],
  ];
  it.each(wrappers)('finds its wrapper on %s: %s', (arch, name) => {
    const host = hostWith([name, '__se_sys_execve'], arch);
    expect(at(host).attach().target).toBe('ksyscall execve');
    expect(opened(host)).toEqual([name]);
  });

  it('finds the function itself on a kernel without wrappers', () => {
    const host = hostWith(['__se_sys_execve']);
    at(host).attach('execve', { cookie: 4n });
    expect(opened(host)).toEqual(['__x64_sys_execve', '__se_sys_execve']);
    expect(host.calls.find((call) => call.startsWith('linkCreate'))).toContain('"cookie":"4n"');
  });

  it('takes returns', () => {
    const host = hostWith(['__x64_sys_openat']);
    const program = new KretsyscallProgram(handleFor(host, { section: 'kretsyscall/openat' }));
    expect(program.attach().target).toBe('kretsyscall openat');
    expect(host.calls[0]).toContain('"config":"1n"');
  });

  it('names similar ones when there is none', () => {
    const host = hostWith(['__x64_sys_execve', '__x64_sys_execveat', '__x64_sys_read']);
    expect(() => at(host).attach('execv')).toThrow(
      'attach "on_exec" to ksyscall execv: this kernel has no system call execv (ENOENT). Similar names: execve',
    );
    expect(() => at(host).attach('sys_read')).toThrow(
      'no system call sys_read (ENOENT). Similar names: read',
    );
    expect(() => at(host).attach('__x64_sys_read')).toThrow('Similar names: read');
  });

  it('says why of each function when symbols are of no help', () => {
    expect(() => at(hostWith(['vfs_read'])).attach()).toThrow(
      'ksyscall execve: none of them can be probed: this kernel has no function __x64_sys_execve',
    );
  });

  it.each(['ksyscall', 'ksyscall/', 'ksyscall/a b'])('asks for a name when the section is %s', (section) => {
    const host = hostWith([]);
    expect(() => at(host, section).attach()).toThrow(/no system call is named|named by letters/);
    expect(host.calls).toEqual([]);
  });
});
