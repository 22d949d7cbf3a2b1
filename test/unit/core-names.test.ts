import { expect, test } from 'vitest';
import { essentialName } from '../../runtime/src/core/names.js';

test.each([
  ['task_struct', 'task_struct'],
  ['task_struct___old', 'task_struct'],
  ['a___b___c', 'a___b'],
  ['a____b', 'a____b'],
  ['a___', 'a___'],
  ['___a', '___a'],
  ['a____b___c', 'a____b'],
  ['a___b____c', 'a'],
  ['a___b____', 'a'],
  ['a____b____c', 'a____b____c'],
  ['_____', '_____'],
  ['', ''],
])('the name %j without its flavour is %j', (name, essential) => {
  expect(essentialName(name)).toBe(essential);
});
