// `npm run demo`, from a fresh clone with only Node: installs, builds, generates the skeleton of hello_kern.o, loads it
// into this kernel and shows what it prints there for some seconds.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root, run, say, tail } from '../test/run/command.mjs';
import { whyNoBpf } from '../test/run/host.mjs';
import { checkNode, installNpm } from '../test/run/install.mjs';

const seconds = 5;
const folder = join(root, 'examples/hello');

function giveUp(message) {
  console.error(message);
  process.exit(1);
}

async function must(label, command, options) {
  const result = await run(label, command, options);
  if (result.status !== 0)
    giveUp(`${command.join(' ')} ended with status ${result.status}:\n${tail(result.output)}`);
  return result.output;
}

const tsc = (...projects) => ['node_modules/.bin/tsc', '-b', ...projects];

/** Connects to a server of our own on the loopback device, so that there is something to see. */
function connectNowAndThen() {
  const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
  server.on('connection', (socket) => socket.on('error', () => socket.destroy()));
  const timer = setInterval(() => {
    const address = server.address();
    if (address === null || typeof address === 'string') return;
    const socket = connect(address.port, '127.0.0.1');
    socket.on('error', (error) => console.error(`connect to 127.0.0.1: ${error.message}`));
    socket.resume();
  }, 500);
  return () => {
    clearInterval(timer);
    server.close();
  };
}

/** Runs the example and shows its output. Gives its exit status and how often the kernel said hello. */
async function runHello() {
  const program = [process.execPath, 'build/examples/hello/main.js', '--seconds', String(seconds)];
  const child = spawn('test/run/private-mounts.sh', program, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let greetings = 0;
  createInterface({ input: child.stdout }).on('line', (line) => {
    console.log(`  ${line}`);
    if (line.includes('Hello eBPF!')) greetings += 1;
  });
  const stop = connectNowAndThen();
  const status = await new Promise((done) => {
    child.on('error', (error) => giveUp(`start ${program.join(' ')}: ${error.message}`));
    child.on('close', done);
  });
  stop();
  return { status, greetings };
}

checkNode();
const problem = await installNpm();
if (problem !== undefined) giveUp(problem);

say('building (tsc -b)');
await must('tsc -b', tsc('runtime', 'generator'));
await must('bundle', [process.execPath, 'runtime/bundle.js']);
await must('compile', [process.execPath, 'runtime/compile.js']);
await must('prepare', [process.execPath, 'dist/prepare.js']);

say('generating: bpfskel gen hello_kern.o > hello.skel.ts');
const command = [process.execPath, join(root, 'dist/cli.js'), 'gen', 'hello_kern.o'];
const skeleton = await must('bpfskel gen', command, { cwd: folder });
writeFileSync(join(folder, 'hello.skel.ts'), skeleton);
say(`  examples/hello/hello.skel.ts: ${skeleton.split('\n').length - 1} lines`);
await must('tsc -b', tsc('examples'));

const missing = whyNoBpf();
if (missing !== undefined) {
  say(`not loaded into this kernel: ${missing}`);
} else {
  say(`running examples/hello for ${seconds} s; it prints what the kernel writes to trace_pipe:`);
  const { status, greetings } = await runHello();
  if (status !== 0) giveUp(`examples/hello ended with status ${status}`);
  if (greetings === 0) giveUp(`attached, but no "Hello eBPF!" arrived within ${seconds} s`);
  say(`${greetings} greetings from the kernel; everything is detached and closed again`);
}
