import { plainGen } from './plain.js';
import { report } from './report.js';

/** Runs one command line. The answer is the exit status: 0 done, 1 the input said no, 2 wrong usage. */
export async function run(args: readonly string[]): Promise<number> {
  const status = args[0] === 'gen' ? plainGen(args.slice(1)) : undefined;
  if (status !== undefined) return status;
  try {
    if (args[0] === 'check') {
      const { checkCommand, plainCheckArguments } = await import('./check-command.js');
      const plain = plainCheckArguments(args.slice(1));
      if (plain !== undefined) return await checkCommand(plain);
    }
    const { runCommands } = await import('./commands.js');
    return await runCommands(args);
  } catch (error) {
    return report(error);
  }
}
