import { Command, CommanderError, Option } from 'commander';
import { declareBackups } from './commands/backups';
import { declareCompletion } from './commands/completion';
import { declareDiff } from './commands/diff';
import { declareGc } from './commands/gc';
import { declareGenerate } from './commands/generate';
import { declareHelp } from './commands/help';
import { declareInstall, declareUninstall } from './commands/install';
import { declareList } from './commands/list';
import { declareResume } from './commands/resume';
import { declareSchema } from './commands/schema';
import { declareStatus } from './commands/status';
import { declareRollback, declareSwitch } from './commands/switch';
import { declareVerify } from './commands/verify';
import { declareWatch } from './commands/watch';
import type { Context, LogFormat, LogLevel } from './context';
import { ActivateError, exitStatusOf } from './core/errors';
import { fold } from './core/report/text/fold';
import { errorToJson, renderError } from './core/report/report';

/** What the command line leaves to the surroundings: streams, signals, the machine. */
export interface Host {
  readonly version: string;
  /** Makes what a command is given, from the options that all commands have. */
  readonly contextFor: (options: GlobalOptions) => Context;
  readonly write: (text: string) => void;
  readonly warn: (text: string) => void;
  readonly columns: number;
}

export interface GlobalOptions {
  readonly root: string;
  readonly json: boolean;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly color: 'auto' | 'always' | 'never';
  /** Nothing is printed but errors. */
  readonly quiet: boolean;
  /** Seconds to wait for another activation to end. */
  readonly wait: number;
}

/**
 * Runs one command line, without the program's name, and returns the exit status.
 *
 * Whatever happens becomes one message and one status here; nothing is thrown.
 */
export async function runCli(argv: readonly string[], host: Host): Promise<number> {
  let status = 0;
  const program = newProgram(host);
  const run = async (command: (context: Context) => Promise<number>): Promise<void> => {
    status = await command(host.contextFor(globalOptions(program)));
  };
  declareCommands(program, run);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return status;
  } catch (error) {
    return report(error, argv, host);
  }
}

function declareCommands(
  program: Command,
  run: (command: (context: Context) => Promise<number>) => Promise<void>,
): void {
  declareGenerate(program, run);
  declareDiff(program, run);
  declareSwitch(program, run);
  declareRollback(program, run);
  declareResume(program, run);
  declareStatus(program, run);
  declareList(program, run);
  declareGc(program, run);
  declareVerify(program, run);
  declareWatch(program, run);
  declareInstall(program, run);
  declareUninstall(program, run);
  declareBackups(program, run);
  declareCompletion(program, run);
  declareHelp(program, run);
  declareSchema(program, run);
  for (const command of commandsIn(program)) {
    addGlobalOptions(command).showHelpAfterError(`See \`activate ${nameOf(command)} --help\`.`);
  }
}

/** All commands, those of commands as well. */
function commandsIn(program: Command): Command[] {
  return program.commands.flatMap((command) => [command, ...commandsIn(command)]);
}

/** `backups diff` */
function nameOf(command: Command): string {
  return command.parent?.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}

function newProgram(host: Host): Command {
  const program = new Command('activate')
    .description('Makes /etc show a built system closure, and switches from one closure to the next nearly atomically.')
    .version(host.version, '-V, --version')
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError(SEE_HELP)
    .configureHelp({ helpWidth: Math.min(host.columns, 100), subcommandTerm: nameAndArguments })
    .configureOutput({
      // Where there is little room, commander does not break lines.
      writeOut: (text) => host.write(fold(text, host.columns)),
      writeErr: host.warn,
      outputError: (text, write) => write(text.replace(/^error: /u, 'activate: ')),
    })
    .addHelpText(
      'after',
      '\nExit status: 0 done, 1 differences, 2 usage, 3 refused, 4 failed and undone,\n5 `activate resume` needed, 65 broken input, 70 a bug, 74 I/O, 75 locked,\n77 no permission.',
    );
  return addGlobalOptions(program);
}

/** Every command has options: saying so on each line would leave no room for what it does. */
function nameAndArguments(command: Command): string {
  const args = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  );
  return [command.name(), ...args].join(' ');
}

/** The options that every command takes, before or after its name. */
function addGlobalOptions(command: Command): Command {
  return command
    .option('--root <directory>', 'the tree to work on, instead of /')
    .option('--json', 'print one JSON document')
    .addOption(
      new Option('--log-level <level>', 'the least important message to print').choices([
        'debug',
        'info',
        'warn',
        'error',
        'silent',
      ]),
    )
    .addOption(
      new Option('--log-format <format>', 'how messages are printed (default: text)').choices(['text', 'json']),
    )
    .addOption(new Option('--color <when>', 'when to use colours (default: auto)').choices(['auto', 'always', 'never']))
    .option('--quiet', 'print nothing but errors');
}

function globalOptions(program: Command): GlobalOptions {
  const given: Partial<GlobalOptions> = Object.assign(
    {},
    ...[program, ...commandsIn(program)].map((command) => command.opts()),
  );
  const { root = '/', json = false, logLevel = 'info', logFormat = 'text' } = given;
  const { color = 'auto', quiet = false, wait = 0 } = given;
  return { root, json, logLevel, logFormat, color, quiet, wait };
}

function usageError({ code, message }: CommanderError): ActivateError {
  if (code === 'commander.help') return new ActivateError('USAGE', 'no command', { hint: SEE_HELP });
  return new ActivateError('USAGE', message.replace(/^error: /u, ''), { hint: SEE_HELP });
}

const SEE_HELP = 'See `activate --help`.';

function report(error: unknown, argv: readonly string[], host: Host): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  const failure = error instanceof CommanderError ? usageError(error) : error;
  if (argv.includes('--json')) host.write(`${JSON.stringify(errorToJson(failure))}\n`);
  // What is wrong with the command line has been said already.
  if (!(error instanceof CommanderError)) host.warn(renderError(error));
  return exitStatusOf(failure);
}
