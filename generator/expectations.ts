import { basename } from 'node:path';
import { readInput } from './files.js';
import { within } from './report.js';
import { UsageError } from './usage.js';

/** Programs that may be refused. */
export class Expectations {
  readonly #programs: ReadonlySet<string>;

  private constructor(programs: Iterable<string>) {
    this.#programs = new Set(programs);
  }

  static none(): Expectations {
    return new Expectations([]);
  }

  /**
   * Reads a file of lines `OBJECT PROGRAM`, the object with or without its folder; `#` begins a remark.
   * @throws UsageError for a line of another form
   */
  static read(path: string): Expectations {
    const text = within(`verify --expect ${path}`, () => new TextDecoder().decode(readInput(path)));
    const programs = text.split('\n').flatMap((line, index) => {
      const stated = line.replace(/(^|\s)#.*/, '').trim();
      if (stated === '') return [];
      // A file's name may have spaces, a program's has none.
      const [, object, program] = /^(.*\S)\s+(\S+)$/.exec(stated) ?? [];
      if (object === undefined || program === undefined) {
        throw new UsageError(
          `--expect ${path}, line ${index + 1}: ${JSON.stringify(stated)} is not an object file and a program`,
        );
      }
      return [key(object, program)];
    });
    return new Expectations(programs);
  }

  /** Whether this program of the object at `path` may be refused. */
  has(path: string, program: string): boolean {
    return this.#programs.has(key(path, program));
  }
}

function key(object: string, program: string): string {
  return `${basename(object)} ${program}`;
}
