import type { Api, Field, Item, TypeApi } from './api.js';

/** One difference between two skeletons. */
export interface Change {
  /** `maps.events`, `progs.exec`, `bss.seen`, or the name of a type. */
  readonly subject: string;
  /** The part of it: `field pid`, `value DROP`; empty for the whole. */
  readonly part: string;
  readonly kind: 'added' | 'removed' | 'changed';
  /** Absent of what is added, and of places that changed: `is` says of what. */
  readonly was?: string;
  readonly is?: string;
  /** Code that compiled against the old skeleton may not against the new one, or may mean something else. */
  readonly breaking: boolean;
}

/** Everything in which `now` differs from `was`: maps, programs, globals, then types. */
export function apiChanges(was: Api, now: Api): Change[] {
  const sections = new Set([...was.globals.keys(), ...now.globals.keys()]);
  const none: ReadonlyMap<string, Item> = new Map();
  return [
    ...itemChanges('maps', was.maps, now.maps),
    ...itemChanges('progs', was.progs, now.progs),
    ...[...sections].flatMap((section) =>
      itemChanges(section, was.globals.get(section) ?? none, now.globals.get(section) ?? none),
    ),
    ...pairs(was.types, now.types).flatMap(([name, old, fresh]) =>
      typeChanges(name, old, fresh, usersOf(name, was, now)),
    ),
  ];
}

/** A change as a line: `maps.events: field pid: number -> bigint (breaking)`. */
export function changeText({ subject, part, kind, was, is, breaking }: Change): string {
  const what =
    kind === 'changed'
      ? `${part === '' ? '' : `${part}: `}${was === undefined ? is : `${was} -> ${is}`}`
      : `${part === '' ? '' : `${part} `}${kind}, ${kind === 'added' ? is : was}`;
  return `${subject}: ${what}${breaking ? ' (breaking)' : ''}`;
}

/** Both maps' entries by name: those that are now, in their order, then those that are no more. */
function pairs<T>(was: ReadonlyMap<string, T>, now: ReadonlyMap<string, T>) {
  const gone = [...was.keys()].filter((name) => !now.has(name));
  return [...now.keys(), ...gone].map((name) => [name, was.get(name), now.get(name)] as const);
}

function itemChanges(
  section: string,
  was: ReadonlyMap<string, Item>,
  now: ReadonlyMap<string, Item>,
): Change[] {
  const moved: string[] = [];
  const changes = pairs(was, now).flatMap(([name, old, fresh]): Change[] => {
    const subject = `${section}.${name}`;
    if (old === undefined || fresh === undefined) return presence(subject, '', old?.type, fresh?.type, false);
    if (old.type !== fresh.type) return [changed(subject, '', old.type, fresh.type, true)];
    if (old.doc === fresh.doc) return [];
    if (withoutPlace(old.doc) !== withoutPlace(fresh.doc))
      return [changed(subject, 'in C', old.doc, fresh.doc, false)];
    moved.push(name);
    return [];
  });
  if (moved.length === 0) return changes;
  return [...changes, changed(section, 'layout', undefined, `${listed(moved)} moved`, false)];
}

function typeChanges(
  name: string,
  was: TypeApi | undefined,
  now: TypeApi | undefined,
  users: Users,
): Change[] {
  if (was === undefined || now === undefined) return presence(name, '', was?.doc, now?.doc, false);
  if (was.kind === 'struct' && now.kind === 'struct') return structChanges(name, was, now, users);
  if (was.kind === 'enum' && now.kind === 'enum') return enumChanges(name, was.values, now.values);
  const [old, fresh] = [described(was), described(now)];
  if (was.kind === now.kind && old === fresh) return [];
  return [changed(users.subject ?? name, users.subject === undefined ? '' : name, old, fresh, true)];
}

function described(type: TypeApi): string {
  return type.kind === 'alias' ? type.type : type.doc;
}

function enumChanges(
  name: string,
  was: ReadonlyMap<string, string>,
  now: ReadonlyMap<string, string>,
): Change[] {
  return pairs(was, now).flatMap(([key, old, fresh]) =>
    old === undefined || fresh === undefined
      ? presence(name, `value ${key}`, old, fresh, false)
      : old === fresh
        ? []
        : [changed(name, `value ${key}`, old, fresh, true)],
  );
}

function structChanges(
  name: string,
  was: TypeApi & { kind: 'struct' },
  now: TypeApi & { kind: 'struct' },
  users: Users,
): Change[] {
  const subject = users.subject ?? name;
  const part = (field: string) => (users.direct ? field : field.replace(' ', ` ${name}.`));
  const moved: string[] = [];
  const changes = pairs(was.fields, now.fields).flatMap(([key, old, fresh]): Change[] => {
    if (old === undefined || fresh === undefined) {
      // Whoever writes such a struct must name every field; whoever only reads records need not care.
      // Whoever tells the arms of a union apart meets one that was not there.
      const needed = fresh?.arm || (users.written && fresh?.optional === false);
      return presence(subject, part(key), old && fieldType(old), fresh && fieldType(fresh), needed);
    }
    if (fieldType(old) !== fieldType(fresh)) {
      return [changed(subject, part(key), fieldType(old), fieldType(fresh), true)];
    }
    if (old.doc === fresh.doc) return [];
    if (withoutPlace(old.doc) !== withoutPlace(fresh.doc)) {
      return [changed(subject, `${part(key)} in C`, old.doc, fresh.doc, false)];
    }
    moved.push(key.replace(/^field /, ''));
    return [];
  });
  const layout = users.direct ? 'layout' : `layout of ${name}`;
  const places = moved.length > 0 ? `${listed(moved)} moved` : '';
  const [old, fresh] = [declared(was.doc), declared(now.doc)];
  if (old !== fresh) return [...changes, changed(subject, layout, old, joined(fresh, places), false)];
  if (places !== '') return [...changes, changed(subject, layout, undefined, places, false)];
  // What follows is told of the members, and so are their changes.
  return was.doc === now.doc || changes.length > 0
    ? changes
    : [changed(subject, layout, was.doc, now.doc, false)];
}

/** What C says of a type in the comment above it: `struct event, 24 bytes`. */
function declared(doc: string): string {
  return doc.replace(/;.*/s, '');
}

function joined(...texts: readonly string[]): string {
  return texts.filter((text) => text !== '').join('; ');
}

function fieldType({ type, optional }: Field): string {
  return optional ? `${type} (optional)` : type;
}

interface Users {
  /** The maps, programs and variables that a type is part of, when they are few enough to be named. */
  readonly subject: string | undefined;
  /** Nothing else could be meant by a field's bare name. */
  readonly direct: boolean;
  /** Values of the type are written, not only read as records. */
  readonly written: boolean;
}

const NAMED_USERS = 3;

function usersOf(type: string, was: Api, now: Api): Users {
  const users = [...new Map([...items(was), ...items(now)])].filter(([, item]) => item.reaches.has(type));
  const few = users.length > 0 && users.length <= NAMED_USERS;
  return {
    subject: few ? users.map(([name]) => name).join(', ') : undefined,
    direct: !few || users.every(([, { names }]) => names.size === 1 && names.has(type)),
    written: users.length === 0 || users.some(([, item]) => !/^(RingBuffer|PerfEventArray)</.test(item.type)),
  };
}

function* items({ maps, progs, globals }: Api): Generator<readonly [string, Item]> {
  for (const [section, found] of [['maps', maps], ['progs', progs], ...globals] as const) {
    for (const [name, item] of found) yield [`${section}.${name}`, item];
  }
}

/** A comment without the place it ends with. */
function withoutPlace(doc: string): string {
  return doc.replace(/(?: at \d+|; bit \d+ of byte \d+|; the rest from \d+)$/, '');
}

function listed(names: readonly string[]): string {
  return names.length > 4 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
}

function presence(
  subject: string,
  part: string,
  was: string | undefined,
  is: string | undefined,
  needed: boolean,
): Change[] {
  if (is !== undefined) return [{ subject, part, kind: 'added', is, breaking: needed }];
  return was === undefined ? [] : [{ subject, part, kind: 'removed', was, breaking: true }];
}

function changed(
  subject: string,
  part: string,
  was: string | undefined,
  is: string,
  breaking: boolean,
): Change {
  return { subject, part, kind: 'changed', ...(was !== undefined && { was }), is, breaking };
}
