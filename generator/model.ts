import {
  BpfError,
  type Btf,
  kindOf,
  type MapSpec,
  mapKindOf,
  type ObjectSpec,
  type ProgramSpec,
  printable,
  sectionIdentifier,
  type VariableSpec,
} from '@bpfskel/runtime/inspect';
import { declaration } from './ctype.js';
import type { Entry } from './entry.js';
import { byteCount } from './field-docs.js';
import { Imports } from './imports.js';
import { mapDoc } from './map-docs.js';
import { pascalCase, Scope } from './names.js';
import type { SkeletonOptions } from './options.js';
import { comment, propertyKey, quote } from './quote.js';
import { type Reached, ReachedTypes } from './reach.js';
import { type RecordDefinition, recordDefinition } from './record-model.js';
import { type MapRecords, mapRecords } from './record-types.js';
import { findType, holdsRecords } from './records.js';
import { type OpsModel, opsModels, opsTypes } from './struct-ops-model.js';
import { definitions, type TypeDefinition } from './type-model.js';
import { TypeTable } from './types.js';
import { wishesOf } from './wishes.js';

/** A skeleton's contents as plain data, in the order of the file. The templates only print it. */
export interface SkeletonModel {
  readonly name: string;
  readonly quotedName: string;
  readonly openType: string;
  readonly liveType: string;
  readonly description: string;
  /** What stands between the braces of an import. */
  readonly typeImports: string;
  readonly valueImports: string;
  readonly types: readonly TypeDefinition[];
  readonly records: readonly RecordDefinition[];
  readonly elements: readonly { readonly name: string; readonly ts: string; readonly codec: string }[];
  readonly maps: readonly Entry[];
  readonly progs: readonly Entry[];
  readonly globals: readonly {
    readonly doc: string;
    readonly key: string;
    readonly variables: readonly Entry[];
  }[];
  readonly structOps: readonly OpsModel[];
  /** Local names of what every skeleton uses. */
  readonly uses: Readonly<
    Record<'skeleton' | 'Description' | 'LiveSkeleton' | 'OpenSkeleton' | 'Skeleton', string>
  >;
  /** The expression that gives the object's bytes. */
  readonly bytes: string;
  /** The constants that hold the embedded objects: one, or one for each architecture. */
  readonly elves: readonly string[];
}

/** Everything of an object that a skeleton states. The same for the same bytes and options, on every system. */
export function skeletonModel(
  spec: ObjectSpec,
  options: SkeletonOptions & {
    readonly embed: 'base64' | 'file';
    /** Node's names of what the objects are for, when there are several. */
    readonly architectures?: readonly string[];
  },
): SkeletonModel {
  const scope = new Scope();
  // Order decides who keeps a name that several want: the skeleton, then C's types, then imports.
  const name = scope.claim(options.name);
  const live = pascalCase(options.name);
  const liveType = live === name ? live : scope.claim(live);
  const openType = scope.claim(`Open${live}`);
  const maps = uniqueByName(
    spec.maps.filter(({ section, origin }) => section === undefined || isNamed(origin)),
  );
  checkRecords(maps, options.records);

  const imports = new Imports(scope);
  const code = spec.btf && typeCode(spec.btf, spec, maps, { scope, imports, options });
  const context: Context = { imports, asked: options.records, ...code };
  const model = {
    types: code?.types ?? [],
    records: [...(code?.records.values() ?? [])],
    maps: maps.map((map) => mapEntry(map, context)),
    progs: uniqueByName(spec.programs).map((program) => programEntry(program, context)),
    globals: sections(spec).map((section) => globalsEntry(section, context)),
    structOps: opsModels(maps, context),
    elements: code?.table.elements() ?? [],
  };
  const uses = {
    skeleton: imports.value('skeleton'),
    Description: imports.type('Description'),
    LiveSkeleton: imports.type('LiveSkeleton'),
    OpenSkeleton: imports.type('OpenSkeleton'),
    Skeleton: imports.type('Skeleton'),
  };
  const decode = imports.value(options.embed === 'base64' ? 'decodeBase64' : 'readObjectFile');
  const { architectures = [] } = options;
  const choose = architectures.length > 0 ? imports.value('byArchitecture') : '';
  const { values, types } = imports.specifiers();
  const description = scope.claim('description');
  const objects = architectures.map((arch) => ({ arch, elf: scope.claim(`ELF_${arch.toUpperCase()}`) }));
  const elves = objects.length > 0 ? objects.map(({ elf }) => elf) : [scope.claim('ELF')];
  const each = objects.map(({ arch, elf }) => `${arch}: () => ${decode}(${elf})`);
  return {
    name,
    quotedName: quote(options.name),
    openType,
    liveType,
    ...model,
    uses,
    typeImports: types,
    valueImports: values,
    description,
    bytes: choose === '' ? `() => ${decode}(${elves.join()})` : `${choose}({ ${each.join(', ')} })`,
    elves,
  };
}

interface Context {
  readonly imports: Imports;
  readonly btf?: Btf;
  readonly table?: TypeTable;
  /** What is known of the records of maps, and the definitions of those that are of several types, by map. */
  readonly known?: MapRecords;
  readonly records?: ReadonlyMap<MapSpec, RecordDefinition>;
  /** What `--record` said, by map. */
  readonly asked: ReadonlyMap<string, string>;
}

/** Finds, names and prints the types; from then on the table knows them all. */
function typeCode(
  btf: Btf,
  spec: ObjectSpec,
  maps: readonly MapSpec[],
  { scope, imports, options }: { scope: Scope; imports: Imports; options: SkeletonOptions },
): Required<Omit<Context, 'imports' | 'asked'>> & { readonly types: TypeDefinition[] } {
  const wishes = wishesOf(btf, options);
  const reached = new ReachedTypes(btf, scope, wishes);
  const live = new Set<Reached>();
  const known = mapRecords(btf, maps, options.records);
  for (const map of maps) reachMap(btf, reached, map, known);
  for (const { map, variables } of sections(spec)) {
    for (const { variable } of variables) {
      reached.add(variable.typeId, `${sectionIdentifier(map)}_${variable.name}`);
      for (const type of reached.within(variable.typeId)) live.add(type);
    }
  }
  for (const { typeId, hint } of maps.flatMap((map) => opsTypes(btf, map))) {
    reached.add(typeId, hint);
    for (const type of reached.within(typeId)) live.add(type);
  }
  for (const program of spec.programs) {
    const context = contextType(btf, program);
    if (context !== undefined) reached.add(context, `${program.name}_context`);
  }
  for (const type of options.types) reached.add(findType(btf, type), type);
  for (const [id, name] of wishes.named) reached.add(id, name);
  const table = new TypeTable({ btf, reached, imports, scope, wide: options.u64 });
  const types = definitions({ btf, reached, table, imports, wide: options.u64, live });
  const records = new Map(
    [...known].flatMap(([map, record]) =>
      typeof record === 'number'
        ? []
        : [[map, recordDefinition(map, record, { btf, reached, table, imports, scope })] as const],
    ),
  );
  return { btf, table, known, records, types };
}

function reachMap(btf: Btf, reached: ReachedTypes, map: MapSpec, known: MapRecords): void {
  // What the kernel puts into a struct_ops map is its own struct, not the object's.
  if (map.origin === 'struct_ops') return;
  const record = known.get(map);
  if (typeof record === 'number') reached.add(record, `${map.name}_record`);
  else for (const { typeId } of record?.arms ?? []) reached.add(typeId, `${map.name}_record`);
  if (hasType(btf, map.keyTypeId, map.keySize)) reached.add(map.keyTypeId, `${map.name}_key`);
  const kind = mapKindOf(map.type, map.flags);
  // Kinds that take descriptors and the like have values of their own; the kind of no type has bytes.
  const hasValues = kind.codecs.includes('value') || kind.types.length === 0;
  if (hasValues && hasType(btf, map.valueTypeId, map.valueSize)) {
    reached.add(map.valueTypeId, `${map.name}_value`);
  }
  if (map.inner !== undefined) reachMap(btf, reached, map.inner, known);
}

function hasType(btf: Btf, typeId: number, size: number): boolean {
  if (typeId === 0) return false;
  const { kind } = btf.resolve(typeId);
  return kind !== 'void' && kind !== 'fwd' && kind !== 'func_proto' && btf.sizeOf(typeId) === size;
}

function mapEntry(map: MapSpec, context: Context): Entry {
  return {
    doc: comment(mapDoc(map, context.btf, context.known)),
    key: propertyKey(map.name),
    value: mapShape(map, context),
  };
}

/** What the runtime is told of a map: `hash(u32, Stats)`, `arrayOfMaps(hash(u32, Stats))`. */
function mapShape(map: MapSpec, context: Context): string {
  const kind = mapKindOf(map.type, map.flags);
  const codecs = kind.codecs.map((role) => {
    const several = role === 'value' ? context.records?.get(map) : undefined;
    if (several !== undefined) return several.name;
    const record = role === 'value' ? context.known?.get(map) : undefined;
    if (typeof record === 'number' && context.table) return context.table.of(record).codec();
    if (role === 'value' && holdsRecords(map)) return context.imports.value('raw');
    const [typeId, size] = role === 'key' ? [map.keyTypeId, map.keySize] : [map.valueTypeId, map.valueSize];
    return sizedCodec(context, typeId, size);
  });
  const inner = kind.holdsMaps && map.inner !== undefined ? [mapShape(map.inner, context)] : [];
  const text = holdsRecords(map) ? context.asked.get(map.name) : undefined;
  const asked = text === undefined ? [] : [quote(text)];
  return `${context.imports.value(kind.kindName)}(${[...codecs, ...inner, ...asked].join(', ')})`;
}

function sizedCodec({ btf, table, imports }: Context, typeId: number, size: number): string {
  if (btf && table && hasType(btf, typeId, size)) return table.of(typeId).codec();
  if (table) return table.untyped(size).codec();
  return `${imports.value('bytes')}(${size})`;
}

/** The struct that a program's parameter points to, for kinds whose callers give it. */
function contextType(btf: Btf, program: ProgramSpec): number | undefined {
  if (kindOf(program.sec)?.kind.typedContext !== true) return undefined;
  const id = btf.find(program.name, 'func');
  const fn = id === undefined ? undefined : btf.type(id);
  const prototype = fn?.kind === 'func' ? btf.resolve(fn.type) : undefined;
  const parameter = prototype?.kind === 'func_proto' ? prototype.params[0] : undefined;
  const pointer = parameter === undefined ? undefined : btf.resolve(parameter.type);
  if (pointer?.kind !== 'ptr') return undefined;
  const { kind } = btf.resolve(pointer.type);
  return (kind === 'struct' || kind === 'union') && btf.sizeOf(pointer.type) > 0 ? pointer.type : undefined;
}

function programEntry(program: ProgramSpec, { imports, btf, table }: Context): Entry {
  const kind = kindOf(program.sec)?.kind.kindName ?? 'otherProgram';
  const sec = program.autoload ? program.sec : `?${program.sec}`;
  const context = btf && contextType(btf, program);
  const codec = context === undefined || table === undefined ? [] : [table.of(context).codec()];
  return {
    doc: `SEC("${comment(sec)}")`,
    key: propertyKey(program.name),
    value: `${imports.value(kind)}(${[quote(program.sec), ...codec].join(', ')})`,
  };
}

interface Section {
  readonly map: MapSpec;
  readonly variables: readonly { readonly key: string; readonly variable: VariableSpec }[];
}

/** Global data as bpftool shows it: mappable sections, without static variables, names made identifiers. */
function sections(spec: ObjectSpec): Section[] {
  const sectionScope = new Scope();
  return spec.maps.flatMap((map) => {
    const { section } = map;
    if (section === undefined || map.origin === 'struct_ops' || !section.mmapable) return [];
    if (sectionScope.has(sectionIdentifier(map))) return [];
    sectionScope.claimKey(sectionIdentifier(map));
    const scope = new Scope();
    const variables = section.variables
      .filter((variable) => variable.linkage !== 'static')
      .map((variable) => ({ key: scope.claimKey(variable.name.replace(/\./g, '_')), variable }));
    return [{ map, variables }];
  });
}

function globalsEntry(
  { map, variables }: Section,
  { btf, table, imports }: Context,
): SkeletonModel['globals'][number] {
  return {
    doc: comment(`${map.name}, ${byteCount(map.valueSize)}`),
    key: propertyKey(sectionIdentifier(map)),
    variables: variables.map(({ key, variable: { typeId, name, offset, size } }) => ({
      doc: comment(`${btf ? declaration(btf, typeId, name) : name}; ${byteCount(size)} at ${offset}`),
      key: propertyKey(key),
      value: `${imports.value('at')}(${[offset, table?.of(typeId).codec() ?? `${imports.value('bytes')}(${size})`, ...longer(btf, typeId, size)].join(', ')})`,
    })),
  };
}

/** The size of a variable, when it is not its type's: that ends in a flexible array, and the variable fills it. */
function longer(btf: Btf | undefined, typeId: number, size: number): number[] {
  return btf === undefined || btf.sizeOf(typeId) === size ? [] : [size];
}

/** Maps that hold global data, and yet have a name of their own. */
function isNamed(origin: MapSpec['origin']): boolean {
  return origin === 'struct_ops' || origin === 'arena';
}

function uniqueByName<T extends { readonly name: string }>(items: readonly T[]): T[] {
  return [...new Map(items.map((item) => [item.name, item] as const).reverse()).values()].reverse();
}

function checkRecords(maps: readonly MapSpec[], records: ReadonlyMap<string, string>): void {
  for (const name of records.keys()) {
    if (maps.some((map) => map.name === name)) continue;
    const known = maps.map((map) => printable(map.name)).join(', ');
    throw new BpfError(
      'ERR_BPF_NAME',
      `--record: the object has no map "${printable(name)}"${known ? `; it has ${known}` : ''}`,
    );
  }
}
