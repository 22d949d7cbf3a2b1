import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { type SchedExt, ScxExitKind, sched_ext } from '../golden/sched_ext/expected.skel.js';
import { linkContract, openFds } from '../kernel/link-contract.js';

const folder = '/sys/kernel/sched_ext';
const state = () => readFileSync(`${folder}/state`, 'utf8').trim();
const scheduler = () => {
  const file = `${folder}/root/ops`;
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
};

/** Lets this thread be scheduled once more, at least. */
const sleep = (milliseconds = 5) =>
  void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; !condition() && Date.now() < end; ) {
    await new Promise((done) => setTimeout(done, 10));
  }
  expect(condition()).toBe(true);
}

/** The object without its second scheduler. */
function open() {
  const object = sched_ext.open();
  object.maps.other.autocreate = false;
  return object;
}

linkContract({
  name: 'a scheduler',
  load: () => {
    const skel = open().load();
    return { skel, runs: () => Number(skel.bss.enqueued), close: () => skel.destroy() };
  },
  attach: ({ skel }) => skel.maps.fifo.attach(),
  trigger: sleep,
  twice:
    /^attach "fifo" to struct_ops: the scheduler "bpfskel_fifo" is enabled, and there is one at a time \(EBUSY\)\. End that one first$/,
});

describe('a scheduler (sched_ext)', () => {
  let fds = 0;
  /** Runs with a skeleton whose scheduler is not attached yet, and looks that nothing stays. */
  const using =
    (test: (skel: SchedExt) => void | Promise<void>, prepare: (object: ReturnType<typeof open>) => void) =>
    async () => {
      sched_ext.open().destroy();
      fds = openFds();
      const object = open();
      prepare(object);
      const skel = object.load();
      try {
        await test(skel);
      } finally {
        skel.destroy();
      }
      expect(openFds()).toBe(fds);
    };
  const asItIs = () => undefined;

  afterEach(() => expect(state()).toBe('disabled'));

  it(
    'schedules every task from attach to detach, under the name that was set, and is told why it ended',
    using(
      (skel) => {
        expect(state()).toBe('disabled');
        skel.attach();
        expect([state(), scheduler()]).toEqual(['enabled', 'bpfskel_renamed']);
        expect(readFileSync(`${folder}/switch_all`, 'utf8').trim()).toBe('1');
        expect(skel.links.fifo?.info()).toMatchObject({
          type: 'struct_ops',
          mapId: skel.maps.fifo.info().id,
        });
        sleep();
        expect(skel.bss.enqueued).toBeGreaterThan(0n);
        skel.detach();
        expect([state(), scheduler()]).toEqual(['disabled', undefined]);
        expect(skel.bss.ended).toMatchObject({
          kind: ScxExitKind.SCX_EXIT_UNREG,
          reason: 'unregistered from user space',
        });
      },
      ({ struct_ops: { fifo } }) => {
        fifo.name = 'bpfskel_renamed';
        fifo.timeout_ms = 10_000;
      },
    ),
  );

  it(
    'that fails when it starts is refused, and its exit() has the reason',
    using(
      (skel) => {
        expect(() => skel.attach()).toThrow(
          expect.objectContaining({
            code: 'ERR_BPF_STATE',
            message: expect.stringMatching(
              /^attach "fifo" to struct_ops: the kernel took the scheduler and ended it at once \(.*: disabled\)\. Its exit\(\)/,
            ),
          }),
        );
        expect(skel.links.fifo).toBeUndefined();
        expect(skel.bss.ended).toMatchObject({
          kind: ScxExitKind.SCX_EXIT_ERROR,
          reason: 'runtime error',
          msg: 'ops.init() failed (-2)',
        });
      },
      (object) => {
        object.rodata.init_error = -2;
      },
    ),
  );

  it(
    'that makes a mistake is ended by the kernel: exit() has the reason, the link stays, and it can be attached again',
    using(async (skel) => {
      const link = skel.maps.fifo.attach();
      const queue = skel.data.queue;
      skel.data.queue = 42n;
      await until(() => state() === 'disabled');
      expect(skel.bss.ended.kind).toBe(ScxExitKind.SCX_EXIT_ERROR);
      expect(skel.bss.ended.msg).toMatch(/^non-existent DSQ 0x2a for /);
      expect(link.attached).toBe(true);
      expect(link.info()).toMatchObject({ type: 'struct_ops', mapId: skel.maps.fifo.info().id });
      link.detach();
      skel.data.queue = queue;
      skel.maps.fifo.attach();
      expect(state()).toBe('enabled');
      const before = skel.bss.enqueued;
      sleep();
      expect(skel.bss.enqueued).toBeGreaterThan(before);
    }, asItIs),
  );

  it('is not exchanged for another while it runs', () => {
    using skel = sched_ext.open().load();
    using link = skel.maps.fifo.attach();
    expect(() => link.update(skel.maps.other)).toThrow(
      'update link of "fifo" to "other": its subsystem exchanges nothing while it is registered (EOPNOTSUPP)',
    );
    expect(() => skel.maps.other.attach()).toThrow('the scheduler "bpfskel_fifo" is enabled');
    link.detach();
    using other = skel.maps.other.attach();
    expect([other.attached, scheduler()]).toEqual([true, 'bpfskel_other']);
  });

  it.each([
    ['without a name', { name: '' }, 'a scheduler has a name of letters'],
    ['with a name of other characters', { name: 'a b' }, 'a scheduler has a name of letters'],
    ['with flags of its own', { flags: 1n << 60n }, 'no flags but those the kernel knows (EINVAL)'],
    ['that waits for longer than half a minute', { timeout_ms: 60_000 }, 'is at most 30000'],
  ])('%s is refused in words', (_name, members, text) =>
    using(
      (skel) => {
        expect(() => skel.attach()).toThrow(text);
      },
      ({ struct_ops: { fifo } }) => void Object.assign(fifo, members),
    )(),
  );

  it('ends with its process, also when that is killed', async () => {
    const module = `
      import { openObject } from '${new URL('../../runtime/dist/index.js', import.meta.url).href}';
      const object = openObject('${fileURLToPath(new URL('../golden/sched_ext/in.bpf.o', import.meta.url))}');
      object.maps.get('other').autocreate = false;
      const live = object.load();
      live.attach();
      console.log('attached');
      setInterval(() => {}, 1e6);
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', module], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      expect([state(), scheduler()]).toEqual(['enabled', 'bpfskel_fifo']);
      child.kill('SIGKILL');
      await until(() => state() === 'disabled');
    } finally {
      child.kill('SIGKILL');
    }
  });
});
