import { basename } from 'node:path';
import { parseObject } from '@bpfskel/runtime/inspect';
import { readInput, writeAll } from './files.js';
import { inspectObject } from './inspection.js';
import { inspectionText } from './inspection-text.js';

/** `bpfskel inspect`: an object's declarations on standard output, for people or as JSON. */
export function inspect({ object, json, colour }: { object: string; json: boolean; colour: boolean }): void {
  const inspection = inspectObject(parseObject(readInput(object)));
  const name = object === '-' ? 'standard input' : basename(object);
  if (json) {
    writeAll(1, `${JSON.stringify({ object: name, ...inspection }, null, 2)}\n`);
    return;
  }
  const heading = (text: string) => (colour ? `\x1b[1m${text}\x1b[0m` : text);
  writeAll(1, inspectionText(name, inspection, heading));
}
