// What a page does that shows records: it needs their types alone.
import type { Event } from '../../examples/execsnoop/execsnoop.skel.ts';

export const line = (event: Event): string => `${event.pid} ${event.args}`;
