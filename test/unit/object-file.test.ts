import { readFileSync } from 'node:fs';
import { readObjectFile } from '@bpfskel/runtime/codegen/v1';
import { describe, expect, it } from 'vitest';

describe('the object of a skeleton made with --embed file', () => {
  it('is read from beside it', () => {
    const object = new URL('../golden/embed_file/in.bpf.o', import.meta.url);
    expect(Buffer.from(readObjectFile(object)).equals(readFileSync(object))).toBe(true);
  });

  it('was to be copied along, when it is not there', () => {
    expect(() => readObjectFile(new URL('./gone.o', import.meta.url))).toThrow(
      expect.objectContaining({
        code: 'ENOENT',
        message: expect.stringMatching(
          /^read \/.*\/gone\.o: no such file; the skeleton was made with --embed file, so its object goes where/,
        ),
      }),
    );
  });
});
