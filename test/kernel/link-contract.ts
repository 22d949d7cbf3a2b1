import { existsSync, readdirSync, rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { LinkType } from '../../runtime/src/kernel/kernel.js';
import type { Link } from '../../runtime/src/link/link.js';
import { openLink, openLinkById } from '../../runtime/src/open-link.js';
import type { Counter } from './counter.js';

/** What the contract asks of a program that is loaded. */
type Running = Pick<Counter, 'runs' | 'close'>;

/** What one link type brings to the contract. */
export interface LinkCase<Loaded extends Running = Counter> {
  /** What is attached, for the test's name. */
  readonly name: string;
  /** False where the running kernel lacks it; then another kernel runs it. */
  readonly when?: boolean;
  load(): Loaded;
  attach(counter: Loaded): Link;
  /** Makes the attached program run at least once, before it returns. */
  trigger(): void;
  /**
   * What a second attachment of the same program to the same place does: it runs too, or is refused in these words, or
   * takes the place of the first, whose link then holds nothing.
   */
  readonly twice: 'runs' | 'replaces' | RegExp;
  /**
   * False where the attachment is no bpf_link, or several: then pinning is refused in words. A bpf_link without it, which
   * can be pinned, and outlives its process so.
   */
  readonly pins?: boolean;
}

/** Descriptors this process has open. */
export function openFds(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Runs `trigger` until the program ran, for at most five seconds: some hooks run a moment later. */
export function runsWithin(counter: Running, trigger: () => void): boolean {
  const before = counter.runs();
  const end = Date.now() + 5000;
  while (Date.now() < end) {
    trigger();
    if (counter.runs() > before) return true;
  }
  return false;
}

/** What every link does: the effect begins, ends with detach, and leaves no descriptor behind. */
export function linkContract<Loaded extends Running = Counter>({
  name,
  when = true,
  load,
  attach,
  trigger,
  twice,
  pins = true,
}: LinkCase<Loaded>): void {
  describe(`a link of ${name}`, () => {
    const using = (test: (counter: Loaded) => void) => () => {
      trigger(); // What the trigger itself opens once must not count.
      const before = openFds();
      const counter = load();
      try {
        test(counter);
      } finally {
        counter.close();
      }
      expect(openFds()).toBe(before);
    };

    it.runIf(when)(
      'runs the program until it is detached, and then no more',
      using((counter) => {
        const link = attach(counter);
        expect(link.attached).toBe(true);
        expect(runsWithin(counter, trigger)).toBe(true);
        link.detach();
        expect(link.attached).toBe(false);
        const after = counter.runs();
        trigger();
        expect(counter.runs()).toBe(after);
      }),
    );

    it.runIf(when)(
      'gives its descriptors back on detach, and only once',
      using((counter) => {
        const before = openFds();
        const link = attach(counter);
        link.detach();
        expect(openFds()).toBe(before);
        link.detach();
        link[Symbol.dispose]();
        link[Symbol.dispose]();
        expect(openFds()).toBe(before);
      }),
    );

    it.runIf(when)(
      'can be made again after it ended',
      using((counter) => {
        attach(counter).detach();
        attach(counter);
        expect(runsWithin(counter, trigger)).toBe(true);
      }),
    );

    it.runIf(when)(
      'made twice is two links, or refused in words',
      using((counter) => {
        const one = attach(counter);
        if (twice === 'replaces') {
          const two = attach(counter);
          expect(runsWithin(counter, trigger)).toBe(true);
          two.detach();
          const after = counter.runs();
          trigger();
          expect(counter.runs()).toBe(after);
          one.detach();
          return;
        }
        if (twice !== 'runs') {
          expectRefusal(() => attach(counter), twice);
          return;
        }
        const two = attach(counter);
        one.detach();
        expect(two.attached).toBe(true);
        expect(runsWithin(counter, trigger)).toBe(true);
      }),
    );

    // Of what the kernel does not have the tests above tell already that they are skipped.
    if (!when) return;
    if (pins) {
      it(
        'goes on by its pin when it is closed, can be opened again, and ends when it is unpinned',
        using((counter) => {
          const path = `/sys/fs/bpf/link_contract_${process.pid}`;
          const runs = (): boolean => runsWithin(counter, trigger);
          const link = attach(counter);
          expect(link.pin(path).pinPath).toBe(path);
          try {
            const told = link.info();
            link[Symbol.dispose]();
            expect(runs()).toBe(true);
            {
              using again = openLink(path);
              expect(again.pinPath).toBe(path);
              expect(again.info()).toMatchObject({ type: told.type, id: told.id, progId: told.progId });
              expect(again.info().type).not.toBe('other');
            }
            expect(runs()).toBe(true);
            using last = openLink(path);
            last.unpin();
            expect(existsSync(path)).toBe(false);
            expect(last.pinPath).toBeUndefined();
            expect(runs()).toBe(true);
            last.close();
            expectNoRun(counter, trigger);
          } finally {
            rmSync(path, { force: true });
          }
        }),
      );

      it(
        'ends for all by force where the kernel does that, and says where it does not',
        using((counter) => {
          const link = attach(counter);
          using other = openLinkById(link.info().id);
          if (endsByForce.has(link.info().type)) {
            other.detach();
            expect(other.attached).toBe(false);
            expectNoRun(counter, trigger);
          } else {
            expect(() => other.detach()).toThrow(/the kernel detaches no link of type \w+ while it is held/);
            expect(runsWithin(counter, trigger)).toBe(true);
          }
          link.detach();
        }),
      );
    } else {
      it(
        'says that it cannot be pinned',
        using((counter) => {
          const link = attach(counter);
          const path = `/sys/fs/bpf/link_contract_${process.pid}`;
          const why =
            /^pin link of "\w+" (?:to|at) .*: (?:this kernel attached it without a bpf_link|it is \d+ links? of the kernel|this process defined the probe through tracefs)/;
          expect(() => link.pin(path)).toThrow(why);
          expect(() => link.unpin()).toThrow(/^unpin link of "\w+": it is not pinned$/);
          expect(existsSync(path)).toBe(false);
          link.detach();
          expect(() => link.pin(path)).toThrow(/^pin link of "\w+": it is detached$/);
        }),
      );
    }
  });
}

const endsByForce: ReadonlySet<LinkType> = new Set<LinkType>([
  'cgroup',
  'netkit',
  'netns',
  'netfilter',
  'sockmap',
  'struct_ops', // Linux 6.10; the contract runs on none between 6.4 and that
  'tcx',
  'xdp',
]);

/** A link that is gone may run once more: the kernel lets go of it a moment later. */
function expectNoRun(counter: Running, trigger: () => void): void {
  const end = Date.now() + 5000;
  for (;;) {
    const before = counter.runs();
    trigger();
    if (counter.runs() === before) return;
    if (Date.now() > end) throw new Error('the program runs on');
  }
}

/** Runs a refused attachment and checks that it says `text` and leaves no descriptor. */
export function expectRefusal(attach: () => unknown, text: string | RegExp): void {
  const before = openFds();
  expect(attach).toThrow(text);
  expect(openFds()).toBe(before);
}
