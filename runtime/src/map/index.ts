// One line a map kind. kinds.ts finds the kinds among these exports.
export * from './array.js';
export * from './array-of-maps.js';
export * from './bloom-filter.js';
export * from './hash.js';
export * from './hash-of-maps.js';
export * from './lpm-trie.js';
export * from './lru-hash.js';
export * from './lru-percpu-hash.js';
export * from './other.js';
export * from './percpu-array.js';
export * from './percpu-hash.js';
export * from './perf-event-array.js';
export * from './prog-array.js';
export * from './queue.js';
export * from './ringbuf.js';
export * from './stack.js';
export * from './user-ringbuf.js';
