import type { Btf } from '../btf/btf.js';
import { BpfError, printable } from '../errors.js';
import type { ExternSpec } from '../object/spec.js';

/** What an extern in `.kconfig` may be declared as (libbpf: find_kcfg_type). */
type KconfigType = 'char' | 'bool' | 'int' | 'tristate' | 'string';

/** `enum libbpf_tristate`. */
const TRISTATE = { n: 0, y: 1, m: 2 } as const;

/** The settings of a kernel build or a user, by `CONFIG_` name: `y`, `m`, `n`, a quoted string or a number, as written. */
export function parseKconfig(text: string): ReadonlyMap<string, string> {
  const settings = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, name, value] = /^(CONFIG_\w+)=(.+)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined && !settings.has(name)) settings.set(name, value);
  }
  return settings;
}

/** Writes a setting as a kernel configuration states it (libbpf: bpf_object__process_kconfig_line). */
export function setKconfigText(data: DataView, extern: ExternSpec, btf: Btf, value: string): void {
  const type = typeOf(extern, btf);
  if (value === 'y' || value === 'n' || value === 'm') {
    setTristate(data, extern, type, value);
  } else if (value.startsWith('"')) {
    setString(data, extern, type, value);
  } else {
    if (type !== 'int' && type !== 'char') throw misfit(extern, value, 'an integer or char');
    setKconfigNumber(data, extern, btf, parseInteger(extern, value));
  }
}

/** Writes a number, as for LINUX_KERNEL_VERSION (libbpf: set_kcfg_value_num). */
export function setKconfigNumber(data: DataView, extern: ExternSpec, btf: Btf, value: bigint): void {
  const type = typeOf(extern, btf);
  if (type !== 'int' && type !== 'char' && type !== 'bool') {
    throw misfit(extern, String(value), 'an integer, char or bool');
  }
  if (type === 'bool' && value > 1n) throw misfit(extern, String(value), 'an integer');
  const bits = extern.size * 8;
  const signed = isSigned(extern, btf);
  const fits = signed
    ? BigInt.asIntN(bits, value) === BigInt.asIntN(64, value)
    : BigInt.asUintN(bits, value) === value;
  if (bits < 64 && !fits) {
    throw new BpfError(
      'ERANGE',
      `set extern "${printable(extern.name)}": ${value} does not fit its ${extern.size} bytes`,
      { errno: 34 },
    );
  }
  store(data, extern, value);
}

function setTristate(
  data: DataView,
  extern: ExternSpec,
  type: KconfigType | undefined,
  value: 'y' | 'n' | 'm',
): void {
  if (type === 'bool' && value !== 'm') store(data, extern, value === 'y' ? 1n : 0n);
  else if (type === 'tristate') store(data, extern, BigInt(TRISTATE[value]));
  else if (type === 'char') store(data, extern, BigInt(value.charCodeAt(0)));
  else throw misfit(extern, value, type === 'bool' ? 'a tristate or char' : 'a bool, tristate or char');
}

function setString(data: DataView, extern: ExternSpec, type: KconfigType | undefined, value: string): void {
  if (type !== 'string') throw misfit(extern, value, 'an array of char');
  if (value.length < 2 || !value.endsWith('"')) throw unreadable(extern, value, 'lacks its closing quote');
  const text = new TextEncoder().encode(value.slice(1, -1)).subarray(0, extern.size - 1);
  new Uint8Array(data.buffer, data.byteOffset + extern.dataOffset, extern.size).set(text);
}

/** A C integer constant without suffix: decimal, octal with a leading 0, or hexadecimal; negative ones wrap. */
function parseInteger(extern: ExternSpec, text: string): bigint {
  const [, sign, digits] = /^([+-]?)(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)$/i.exec(text) ?? [];
  if (digits === undefined) throw unreadable(extern, text, 'is no integer');
  const magnitude = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  return BigInt.asUintN(64, sign === '-' ? -magnitude : magnitude);
}

function store(data: DataView, { dataOffset, size }: ExternSpec, value: bigint): void {
  if (size === 8) data.setBigUint64(dataOffset, BigInt.asUintN(64, value), true);
  else if (size === 4) data.setUint32(dataOffset, Number(BigInt.asUintN(32, value)), true);
  else if (size === 2) data.setUint16(dataOffset, Number(BigInt.asUintN(16, value)), true);
  else data.setUint8(dataOffset, Number(BigInt.asUintN(8, value)));
}

function typeOf({ typeId }: ExternSpec, btf: Btf): KconfigType | undefined {
  const type = btf.resolve(typeId);
  switch (type.kind) {
    case 'int':
      if (type.bool) return type.size === 1 ? 'bool' : undefined;
      if (type.size === 1) return 'char';
      return [2, 4, 8].includes(type.size) ? 'int' : undefined;
    case 'enum':
      return type.size === 4 && type.name === 'libbpf_tristate' ? 'tristate' : undefined;
    case 'enum64':
      return type.name === 'libbpf_tristate' ? 'tristate' : undefined;
    case 'array': {
      const element = btf.resolve(type.element);
      return type.length > 0 && element.kind === 'int' && !element.bool && element.size === 1
        ? 'string'
        : undefined;
    }
    default:
      return undefined;
  }
}

function isSigned({ typeId }: ExternSpec, btf: Btf): boolean {
  const type = btf.resolve(typeId);
  return type.kind === 'int' && type.signed;
}

function misfit({ name }: ExternSpec, value: string, wanted: string): BpfError {
  return new BpfError(
    'EINVAL',
    `set extern "${printable(name)}": the value ${printable(value, 80)} fits ${wanted}, and it is declared as something else`,
    { errno: 22 },
  );
}

function unreadable({ name }: ExternSpec, value: string, why: string): BpfError {
  const shown = printable(value, 80);
  return new BpfError('EINVAL', `set extern "${printable(name)}": the value ${shown} ${why}`, { errno: 22 });
}
