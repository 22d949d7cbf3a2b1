import type { Btf } from '../../runtime/src/btf/btf.js';
import { BtfBuilder } from './btf-builder.js';

/** A struct with every kind of step an access string can take. */
export function specTypes(): { btf: Btf; ids: { outer: number; alias: number; colour: number } } {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  const inside = b.struct('', 4, [{ name: 'inside', type: int }]);
  const list = b.array(int, 4);
  const pair = b.struct('pair', 8, [
    { name: 'a', type: int },
    { name: 'b', type: int, at: 4 },
  ]);
  const pairs = b.array(b.const(pair), 5);
  const tail = b.array(int, 0);
  const outer = b.struct('outer', 64, [
    { name: 'first', type: int },
    { name: '', type: inside, at: 4 },
    { name: 'list', type: list, at: 8 },
    { name: 'pairs', type: pairs, at: 24 },
    { name: 'tail', type: tail, at: 64 },
  ]);
  const alias = b.typedef('outer_t', b.volatile(outer));
  const colour = b.enum('colour', [
    ['RED', 0],
    ['GREEN', 1],
  ]);
  return { btf: b.btf(), ids: { outer, alias, colour } };
}
