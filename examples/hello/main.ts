// Prints "Hello eBPF!" whenever a process connects a socket, until Ctrl-C or for --seconds.
//   node main.js [--seconds N]
import { parseArgs } from 'node:util';
import { isBpfError, NotSupportedError, tracePipe } from '@bpfskel/runtime';
import { type HelloKern, hello_kern } from './hello.skel.ts';

/** Loads and attaches the kprobe; on kernels without kprobes the tracepoint of the same object. */
function start(): HelloKern {
  const skel = hello_kern.openAndLoad();
  try {
    skel.attach();
    return skel;
  } catch (error) {
    skel.destroy();
    if (!(error instanceof NotSupportedError)) throw error;
    console.error(`${error.message}. Using tracepoint syscalls/sys_enter_connect instead.`);
  }
  const open = hello_kern.open();
  open.progs.hello.autoload = false;
  open.progs.hello_tracepoint.autoload = true;
  const fallback = open.load();
  fallback.attach();
  return fallback;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { seconds: { type: 'string' } } });
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  if (values.seconds) setTimeout(() => stop.abort(), Number(values.seconds) * 1000);

  using skel = start();
  for (const link of Object.values(skel.links)) console.error(`attached to ${link.target}`);
  for await (const line of tracePipe({ signal: stop.signal })) console.log(line);
}

try {
  await main();
} catch (error) {
  console.error(isBpfError(error) ? error.message : error);
  process.exitCode = 1;
}
