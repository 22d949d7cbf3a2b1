/** What {@link hostFile} tells about its host. */
interface Host {
  possibleCpus(): number;
  onlineCpus(): readonly number[];
}

const tracefs =
  /^\/sys\/kernel\/tracing\/(?:events\/([\w.-]+)\/([\w.-]+)\/id|trace_pipe|kprobe_events|uprobe_events)$/;
const pmus: Readonly<Record<string, string>> = {
  '/sys/bus/event_source/devices/software/type': '1\n',
  '/sys/bus/event_source/devices/kprobe/type': '8\n',
  '/sys/bus/event_source/devices/kprobe/format/retprobe': 'config:0\n',
  '/sys/bus/event_source/devices/uprobe/type': '9\n',
  '/sys/bus/event_source/devices/uprobe/format/retprobe': 'config:0\n',
  '/sys/bus/event_source/devices/uprobe/format/ref_ctr_offset': 'config:32-63\n',
};

const FUNCTIONS = '/sys/kernel/tracing/available_filter_functions_addrs';

/** Functions that patterns may match, a few of each well-known family. Tests of others write the file themselves. */
const functions = [
  ...['do_unlinkat', 'do_sys_openat2', 'do_exit', 'vfs_read', 'vfs_write', 'vfs_open', 'vfs_unlink'],
  ...['tcp_v4_connect', 'tcp_v6_connect', 'tcp_sendmsg', 'tcp_recvmsg', 'tcp_close', 'udp_sendmsg'],
  ...['security_file_open', 'security_socket_connect', '__x64_sys_execve', '__x64_sys_openat'],
];

/**
 * The files that a program on any host may count on: probe types, the control files of tracefs, and every tracepoint,
 * since nobody can say which ones a test will name.
 */
export function hostFile(path: string, host: Host): string | undefined {
  if (path === '/sys/devices/system/cpu/possible') return `0-${host.possibleCpus() - 1}\n`;
  if (path === '/sys/devices/system/cpu/online') return `${host.onlineCpus().join(',')}\n`;
  if (path === FUNCTIONS)
    return functions
      .map((name, i) => `ffffffff81${(0x40 * i).toString(16).padStart(6, '0')} ${name}\n`)
      .join('');
  const event = tracefs.exec(path);
  if (event === null) return pmus[path];
  const [, category, name] = event;
  return category === undefined ? '' : `${idOf(`${category}/${name}`)}\n`;
}

/** A number for a tracepoint, always the same for the same name. */
function idOf(name: string): number {
  let hash = 0;
  for (const char of name) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) % 65_000;
  return hash + 1;
}

/** Those of them that show up in their directories before anybody asks for them. */
export const hostFiles: readonly string[] = [
  '/sys/kernel/tracing/trace_pipe',
  '/sys/kernel/tracing/kprobe_events',
  '/sys/kernel/tracing/uprobe_events',
  FUNCTIONS,
  '/sys/kernel/tracing/events/sched/sched_switch/id',
  '/sys/kernel/tracing/events/syscalls/sys_enter_execve/id',
];
