import yargs, { type Argv } from 'yargs';
import { build } from './build.js';
import { checkCommand } from './check-command.js';
import { type GenArguments, gen } from './gen.js';
import { inspect } from './inspect.js';
import { nearest } from './nearest.js';
import { within } from './report.js';
import { UsageError } from './usage.js';
import { verify } from './verify.js';
import { version } from './version.js';

const commandNames = ['gen', 'build', 'check', 'inspect', 'verify'];

/** What to say when a command lacks what it works on. */
const missingArguments: Readonly<Record<string, string>> = {
  build: 'build: which sources? bpfskel build SOURCE.bpf.c...',
  check: 'check: which skeleton, of which object? bpfskel check SKELETON OBJECT',
  inspect: 'inspect: which object? bpfskel inspect OBJECT',
  verify: 'verify: which objects? bpfskel verify OBJECT...',
};

/** Parses a command line with all its help and complaints, and runs it. The answer is the exit status. */
export async function runCommands(args: readonly string[]): Promise<number> {
  let status = 0;
  const finished = (result: number) => {
    status = result;
  };
  refuseUnknownCommand(args);
  await commandLine(finished, args).parseAsync([...args]);
  return status;
}

function commandLine(finished: (status: number) => void, args: readonly string[]) {
  const dash = args.includes('-');
  // As a positional argument, yargs makes - an empty string, and of several nothing.
  const coerce = (path: string) => (path === '' && dash ? '-' : path);
  return yargs()
    .scriptName('bpfskel')
    .usage('$0 <command>\n\nTypeScript skeletons from compiled BPF objects.')
    .command(
      'gen [object]',
      'write a typed skeleton of a BPF object to standard output',
      (command) =>
        generation(command)
          .positional('object', {
            type: 'string',
            describe: 'object file, or - for standard input; none with --arch',
            coerce: (path: string | undefined) => (path === undefined ? undefined : coerce(path)),
          })
          .option('arch', {
            type: 'string',
            array: true,
            nargs: 1,
            describe:
              'ARCH=OBJECT, each: embed an object for each architecture, and load the one of the process',
          })
          .option('output', {
            alias: 'o',
            type: 'string',
            requiresArg: true,
            describe: 'write to this file, whole or not at all',
          })
          .example('$0 gen hello.bpf.o > hello.skel.ts', '')
          .example('$0 gen --arch x86=probe.x86.o --arch arm64=probe.arm64.o -o probe.skel.ts', '')
          .check(({ object, arch }) => {
            if (object === undefined && arch === undefined)
              throw new UsageError('gen: which object? bpfskel gen OBJECT');
            return true;
          }),
      ({ object = '', ...given }) => within(`gen ${object}`.trimEnd(), () => gen({ ...given, object })),
    )
    .command(
      'build <sources..>',
      'compile C sources with clang; object and skeleton go beside each',
      (command) =>
        generation(command)
          .positional('sources', {
            type: 'string',
            array: true,
            demandOption: true,
            describe: 'C sources, NAME.bpf.c',
          })
          .option('include', {
            alias: 'I',
            type: 'string',
            array: true,
            nargs: 1,
            default: [],
            describe: 'folder with headers',
          })
          .option('define', {
            alias: 'D',
            type: 'string',
            array: true,
            nargs: 1,
            default: [],
            describe: 'macro, NAME or NAME=VALUE',
          })
          .option('watch', { type: 'boolean', default: false, describe: 'build again after every change' }),
      async (given) => finished(await build(given)),
    )
    .command(
      'check <skeleton> <objects..>',
      'is this skeleton what the object generates now? If not: what changed in its API, and status 1',
      (command) =>
        command
          .positional('skeleton', { type: 'string', demandOption: true, describe: 'what gen wrote' })
          .positional('objects', {
            type: 'string',
            array: true,
            demandOption: true,
            describe: 'object file, or - for standard input; one for each architecture of the skeleton',
            coerce: (paths: string[]) => (paths.length === 0 && dash ? ['-'] : paths),
          })
          .option('json', { type: 'boolean', default: false, describe: 'print JSON' })
          .example('$0 check hello.skel.ts hello.bpf.o', 'options of gen come from the skeleton itself'),
      async ({ skeleton, objects, json }) => finished(await checkCommand({ skeleton, objects, json })),
    )
    .command(
      'inspect <object>',
      'show maps, programs, globals, types and relocations of a BPF object',
      (command) =>
        command
          .positional('object', {
            type: 'string',
            demandOption: true,
            describe: 'object file, or - for standard input',
            coerce,
          })
          .option('json', { type: 'boolean', default: false, describe: 'print JSON' }),
      ({ object, json }) => within(`inspect ${object}`, () => inspect({ object, json, colour: colourful() })),
    )
    .command(
      'verify <objects..>',
      'load each program alone into this kernel: which are accepted, and why not the others',
      (command) =>
        command
          .positional('objects', {
            type: 'string',
            array: true,
            demandOption: true,
            describe: 'object files',
          })
          .option('btf', {
            type: 'string',
            requiresArg: true,
            describe:
              'BTF that CO-RE relocates against instead of this kernel: raw, or an ELF file with a .BTF section',
          })
          .option('expect', {
            type: 'string',
            requiresArg: true,
            describe: 'file of programs that may be refused, "OBJECT PROGRAM" a line',
          })
          .option('json', {
            type: 'boolean',
            default: false,
            describe: 'print one line of JSON for each object',
          }),
      async (given) => finished(await verify({ ...given, colour: colourful() })),
    )
    .demandCommand(1, 'which command? bpfskel --help lists them')
    .strict()
    .version(version)
    .help()
    .wrap(Math.min(110, process.stdout.columns ?? 80))
    .exitProcess(false)
    .fail((message, error) => {
      // An option without its value comes as an error of yargs itself.
      const missing =
        /^Not enough non-option arguments/.test(message ?? '') && missingArguments[args[0] ?? ''];
      if (missing) throw new UsageError(missing);
      if (error?.name !== 'YError') throw error ?? new UsageError(message);
      throw new UsageError(
        error.message.replace(/^Not enough arguments following: (.*)$/, '--$1 needs a value'),
      );
    });
}

function colourful(): boolean {
  const { NO_COLOR } = process.env;
  return process.stdout.isTTY && !NO_COLOR;
}

/** The options that gen and build share. */
function generation<T>(command: Argv<T>) {
  return command
    .option('name', {
      type: 'string',
      requiresArg: true,
      describe: 'exported name (default: from the file name)',
    })
    .option('u64', {
      choices: ['bigint', 'number'] as const,
      requiresArg: true,
      describe: '64-bit integers as',
    })
    .option('embed', {
      choices: ['base64', 'file'] as const,
      requiresArg: true,
      describe: 'object inside the skeleton, or read from its file',
    })
    .option('record', {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'MAP=TYPE: type of the records of a ring buffer, TYPE|TYPE when there are several',
    })
    .option('union', {
      type: 'string',
      array: true,
      nargs: 1,
      describe:
        'STRUCT=TAG: the member that tells which arm of its union a struct has, TAG|ARM:VALUE where names do not',
    })
    .option('bytes', {
      type: 'string',
      array: true,
      nargs: 1,
      describe:
        'STRUCT.MEMBER: a member whose bytes are wanted as they are, such as a char[] with several texts',
    })
    .option('type', {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'also emit this C type',
    }) satisfies Argv<T & Partial<GenArguments>>;
}

/** yargs would take the wrong word for an argument too many. */
function refuseUnknownCommand(args: readonly string[]): void {
  const [command] = args;
  if (command === undefined || command.startsWith('-') || commandNames.includes(command)) return;
  const [close] = nearest(command, commandNames);
  throw new UsageError(
    `unknown command ${JSON.stringify(command)}${close === undefined ? `; there are ${commandNames.join(', ')}` : `; did you mean ${close}?`}`,
  );
}
