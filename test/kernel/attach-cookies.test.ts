import { closeSync, openSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type FentryProgram, openObject } from '@bpfskel/runtime';
import { describe, expect, it } from 'vitest';
import type { RawTracepointProgram } from '../../runtime/src/index.js';
import { linuxKernel } from '../../runtime/src/kernel/linux.js';
import { kernelVersion } from '../../runtime/src/uapi.js';
import { kernelHas } from './facts.js';
import { openFds } from './link-contract.js';

const path = fileURLToPath(new URL('../testdata/cookies.o', import.meta.url));
const { version } = linuxKernel();
const rawCookies = version >= kernelVersion(6, 10);

/** Runs every hook of the object's programs in this process. */
function trigger(): void {
  const file = join(tmpdir(), `bpfskel-cookie-${process.pid}`);
  closeSync(openSync(file, 'w'));
  unlinkSync(file);
}

/** Either kind attaches to what its section names. */
interface Attachable {
  readonly section: string;
  attach: FentryProgram['attach'] & RawTracepointProgram['attach'];
}

/** What the program sees of the cookies it is attached with, one after the other. */
function seenBy(name: string, cookies: readonly bigint[]): bigint[] {
  const object = openObject(path);
  for (const program of object.progs.values()) program.autoload = program.name === name;
  using live = object.load();
  const program = live.progs.get(name) as unknown as Attachable;
  const data = live.data.get('.bss')?.view();
  const variables = object.spec.maps.find((map) => map.name === '.bss')?.section?.variables ?? [];
  const at = (variable: string) => variables.find((each) => each.name === variable)?.offset ?? -1;
  if (data === undefined) throw new Error('no .bss');
  data.setInt32(at('target_pid'), process.pid, true);
  return cookies.map((cookie) => {
    using _link = program.section.startsWith('raw_tp')
      ? program.attach(undefined, { cookie })
      : program.attach({ cookie });
    data.setBigUint64(at('seen'), 99n, true);
    trigger();
    return data.getBigUint64(at('seen'), true);
  });
}

describe('a cookie reaches', () => {
  const cookies = [7n, 0n, 0xffff_ffff_ffff_fffen];
  const kinds: readonly (readonly [kind: string, program: string, has: boolean])[] = [
    ['raw_tp', 'on_raw_tp', rawCookies],
    ['tp_btf', 'on_tp_btf', rawCookies],
    ['fentry', 'on_fentry', kernelHas.fentry],
    ['fexit', 'on_fexit', kernelHas.fentry],
    ['fmod_ret', 'on_fmod_ret', kernelHas.fentry],
    ['lsm', 'on_lsm', kernelHas.lsm],
  ];
  for (const [kind, name, has] of kinds) {
    it.runIf(has)(`a ${kind} program`, () => {
      seenBy(name, [1n]); // What the process keeps.
      const before = openFds();
      expect(seenBy(name, cookies)).toEqual(cookies);
      expect(openFds()).toBe(before);
    });
  }
});

it.runIf(!rawCookies)('raw tracepoints of older kernels say since when they take one', () => {
  const object = openObject(fileURLToPath(new URL('../testdata/runs.o', import.meta.url)));
  for (const program of object.progs.values()) program.autoload = program.name === 'raw_sum';
  using live = object.load();
  const program = live.progs.get('raw_sum') as unknown as RawTracepointProgram;
  expect(() => program.attach('sys_enter', { cookie: 1n })).toThrow('take a cookie since Linux 6.10');
  program.attach('sys_enter').detach();
});
