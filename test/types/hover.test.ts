import { fileURLToPath } from 'node:url';
import { Project, ts } from 'ts-morph';
import { describe, expect, test } from 'vitest';

// What an editor shows over the names of a skeleton: the language service is what editors ask.

const source = `
import { execsnoop_kern } from '../../examples/execsnoop/execsnoop.skel.ts';
import { hello_kern } from '../../examples/hello/hello.skel.ts';
import { globals } from '../golden/globals/expected.skel.ts';
import { map_in_map } from '../golden/map_in_map/expected.skel.ts';
import { maps } from '../golden/maps/expected.skel.ts';
import { xdp_kern } from '../../examples/xdp/xdp.skel.ts';

export async function main(): Promise<void> {
  const open/*open*/ = maps.open();
  open.maps/*openMaps*/.plain/*openMap*/;
  const skel/*live*/ = open.load();
  skel.maps/*maps*/.plain/*hash*/;
  skel.maps.slots_per_cpu/*perCpu*/;
  const stats/*stats*/ = skel.maps.plain.get(1);
  stats?.packets/*field*/;
  map_in_map.openAndLoad().maps.outer/*outer*/;
  const hello = hello_kern.openAndLoad();
  hello.progs.hello/*kprobe*/;
  const xdp = xdp_kern.openAndLoad();
  xdp.progs.count_packets/*xdp*/.attach/*attach*/('lo');
  const exec = execsnoop_kern/*skeleton*/.openAndLoad();
  for await (const event/*event*/ of exec.maps.events/*ring*/) console.log(event.comm/*comm*/);
  const set = globals.open();
  set.rodata.target_pid/*constant*/ = 1;
  globals.openAndLoad().bss.seen/*live64*/;
}
`;

const path = fileURLToPath(new URL('hovered.ts', import.meta.url));
const project = new Project({
  tsConfigFilePath: fileURLToPath(new URL('tsconfig.json', import.meta.url)),
  skipAddingFilesFromTsConfig: true,
});
project.createSourceFile(path, source);
const service = project.getLanguageService().compilerObject;

function hover(mark: string): { shown: string; said: string } {
  const at = source.indexOf(`/*${mark}*/`);
  if (at < 0) throw new Error(`no ${mark}`);
  const info = service.getQuickInfoAtPosition(path, at - 1);
  return {
    shown: ts.displayPartsToString(info?.displayParts),
    said: ts.displayPartsToString(info?.documentation),
  };
}

describe('an editor shows', () => {
  test('no errors', () => {
    expect(service.getSemanticDiagnostics(path).map(({ messageText }) => messageText)).toEqual([]);
  });

  test.each([
    ['open', 'const open: OpenMaps'],
    ['live', 'const skel: Maps'],
    ['openMap', '(property) plain: OpenMap'],
    ['hash', '(property) plain: HashMap<number, Stats>'],
    ['perCpu', '(property) slots_per_cpu: PerCpuArrayMap<Stats>'],
    ['stats', 'const stats: Stats | undefined'],
    ['field', '(property) Stats.packets: bigint | undefined'],
    ['outer', '(property) outer: ArrayOfMaps<HashMap<number, Entry>>'],
    ['kprobe', '(property) hello: KprobeProgram'],
    ['xdp', '(property) count_packets: XdpProgram'],
    ['skeleton', '(alias) const execsnoop_kern: Skeleton<OpenExecsnoopKern, ExecsnoopKern>'],
    ['event', 'const event: Event'],
    ['ring', '(property) events: RingBuffer<Event>'],
    ['comm', '(property) Event.comm: string'],
    ['constant', '(property) target_pid: number'],
    ['live64', '(property) seen: bigint'],
  ])('over %s one line: %s', (mark, expected) => {
    expect(hover(mark).shown.split('\n')[0]).toBe(expected);
  });

  test.each([
    ['hash', /BPF_MAP_TYPE_HASH, 64 entries: __u32 to struct stats/],
    ['openMap', /BPF_MAP_TYPE_HASH, 64 entries: __u32 to struct stats/],
    ['field', /__u64 packets; 8 bytes at 0/],
    ['kprobe', /SEC\("kprobe\/security_socket_connect"\)/],
    ['comm', /char comm\[16\]; 16 bytes at 16/],
    ['constant', /const volatile __u32 target_pid; 4 bytes at 8/],
    ['live64', /__u64 seen; 8 bytes at 24/],
    ['open', /^/],
  ])('over %s what it is in C', (mark, expected) => {
    expect(hover(mark).said).toMatch(expected);
  });
});
