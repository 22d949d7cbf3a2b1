import { BpfError, printable } from './errors.js';
import type { Kernel } from './kernel/kernel.js';
import { linuxKernel } from './kernel/linux.js';
import { tracefsRoot, whyNoTracefs } from './link/tracefs.js';

/** Settings of {@link tracePipe}. */
export interface TracePipeOptions {
  /** Ends the stream. */
  readonly signal?: AbortSignal;
  readonly kernel?: Kernel;
}

/**
 * What programs print with bpf_printk() and bpf_trace_printk(), line by line, as it comes: `for await (const line of
 * tracePipe()) ...`. The pipe belongs to the whole system: every reader takes lines from every other. Escape sequences
 * in the kernel's text are made visible. Needs tracefs and root, or CAP_SYS_ADMIN where tracefs asks for it.
 * @throws BpfError when tracefs is not mounted or closed to this process.
 */
export async function* tracePipe({
  signal,
  kernel = linuxKernel(),
}: TracePipeOptions = {}): AsyncGenerator<string, void, undefined> {
  const root = tracefsRoot(kernel);
  if (root === undefined) {
    const { why, hint } = whyNoTracefs(kernel);
    throw new BpfError('ENOENT', `read trace_pipe: ${why}${hint ? `. ${hint}` : ''}`, { hint });
  }
  const fd = kernel.openFile(`${root}/trace_pipe`);
  const buffer = new Uint8Array(16 << 10);
  const decoder = new TextDecoder();
  let rest = '';
  try {
    while (!signal?.aborted) {
      const length = kernel.read(fd, buffer);
      if (length === 0) {
        await readable(kernel, fd, signal);
        continue;
      }
      const lines = (rest + decoder.decode(buffer.subarray(0, length), { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield printable(line, 4096);
    }
  } finally {
    kernel.close(fd);
  }
}

/** Waits until there is something to read, or until `signal` aborts. */
function readable(kernel: Kernel, fd: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      watch.stop();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const watch = kernel.watch(fd, done);
    signal?.addEventListener('abort', done, { once: true });
    if (signal?.aborted) done();
  });
}
