import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MalformedError, openObject } from '@bpfskel/runtime';
import { fakeKernel } from '@bpfskel/runtime/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { objectName } from '../../runtime/src/open.js';
import { testObject } from './object-editor.js';

const directory = mkdtempSync(join(tmpdir(), 'bpfskel-open-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (name: string, bytes: Uint8Array | string) => {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  return path;
};

describe('the name of an object', () => {
  it.each([
    ['/a/b/hello.bpf.o', 'hello'],
    ['hello_kern.o', 'hello_kern'],
    ['hello', 'hello'],
    ['a.o.o', 'a.o'],
    ['.o', '.o'],
  ])('of %s is %s', (path, name) => {
    expect(objectName(path)).toBe(name);
  });

  it('comes of the file, of what is said, or is "object"', () => {
    const path = file('beside.bpf.o', testObject('beside.o'));
    expect(openObject(path).name).toBe('beside');
    expect(openObject(path, { name: 'mine' }).name).toBe('mine');
    expect(openObject(testObject('beside.o')).name).toBe('object');
  });
});

describe('openObject()', () => {
  it('gives maps and programs by name, and needs no kernel', () => {
    using object = openObject(testObject('maps.o'));
    expect([...object.progs.keys()]).toEqual(['tail', 'entry']);
    expect(object.maps.get('typed')).toMatchObject({
      maxEntries: 1024,
      autocreate: true,
      pinPath: undefined,
    });
    expect([...object.data.keys()]).toContain('.rodata');
  });

  it.each([
    ['a file that is not there', () => join(directory, 'none.o'), /none\.o: no such file/],
    [
      'a source file',
      () => file('source.c', 'int main(void) { return 0; }\n'.repeat(9)),
      /^open \S+source\.c: not an ELF file/,
    ],
    ['an object of another machine', () => process.execPath, /^open \S+: not a BPF object/],
    ['no bytes', () => new Uint8Array(0), /^open object: not an ELF file/],
  ])('refuses %s by name', (_name, source, sentence) => {
    expect(() => openObject(source())).toThrow(sentence);
  });

  it('says where a broken object is broken', () => {
    const path = file('cut.bpf.o', testObject('maps.o').subarray(0, 200));
    const opening = () => openObject(path);
    expect(opening).toThrow(MalformedError);
    expect(opening).toThrow(expect.objectContaining({ file: path, section: 'section header table' }));
    expect(opening).toThrow(`open ${path}: malformed section header table at byte `);
    expect(() => openObject(testObject('maps.o').subarray(0, 200), { name: 'mine' })).toThrow(
      'open mine: malformed section header table at byte ',
    );
  });

  it('gives an object that load() uses up', () => {
    const kernel = fakeKernel();
    const object = openObject(testObject('beside.o'));
    using live = object.load({ kernel });
    expect([...live.progs.keys()]).toEqual(['called', 'caller']);
    expect(() => object.load({ kernel })).toThrow(/is already loaded/);
    const caller = object.progs.get('caller');
    expect(() => Object.assign(caller ?? {}, { autoload: false })).toThrow(
      'set autoload of program "caller": object is already loaded; do it between open() and load()',
    );
  });

  it('gives an object that can be given up', () => {
    const object = openObject(testObject('beside.o'));
    object.destroy();
    object.destroy();
    expect(() => object.load({ kernel: fakeKernel() })).toThrow('load: object is destroyed');
  });
});
