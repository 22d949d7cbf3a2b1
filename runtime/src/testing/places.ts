/** What a path can be that programs are attached to. */
export type Place = 'cgroup' | 'netns' | 'lirc';

const paths: readonly (readonly [Place, RegExp])[] = [
  ['cgroup', /^\/sys\/fs\/cgroup(?:\/.*)?$/],
  ['netns', /^(?:\/proc\/(?:self|\d+)\/ns\/net|(?:\/var)?\/run\/netns\/[^/]+)$/],
  ['lirc', /^\/dev\/lirc\d+$/],
];

/**
 * The places of a host that a test may name: every cgroup below /sys/fs/cgroup, every network namespace, every infrared
 * device, since nobody can say which ones there will be.
 */
export function placeOf(path: string): Place | undefined {
  return paths.find(([, pattern]) => pattern.test(path))?.[0];
}

// linux/magic.h
const magic: Readonly<Record<Place, number>> = { cgroup: 0x63677270, netns: 0x6e736673, lirc: 0x01021994 };
const TMPFS_MAGIC = 0x01021994;

/** The file system of a place, or of anything else. */
export function fileSystemOf(place: Place | undefined): number {
  return place === undefined ? TMPFS_MAGIC : magic[place];
}
