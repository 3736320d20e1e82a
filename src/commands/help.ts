import type { Command } from 'commander';
import type { Context } from '../context';
import { ActivateError } from '../core/errors';
import { manualPages } from '../core/help/pages';
import { renderPlain } from '../core/help/plain';
import { renderRoff } from '../core/help/roff';
import type { Topic } from '../core/help/topic';
import { topics } from '../core/help/topics';
import type { Run } from '../options';
import { shapeOf } from '../shape';

interface Flags {
  readonly man?: true;
}

/** Declares `help`: of commands and of topics, on the terminal or as pages of the manual. */
export function declareHelp(program: Command, run: Run): void {
  program.helpCommand(false);
  program
    .command('help')
    .summary(`help for a command, or for ${topics.map(({ name }) => name).join(', ')}`)
    .argument('[command|topic...]', 'what to tell about')
    .option('--man', 'print activate(1), or activation.toml(5) for policy, as man takes it')
    .addHelpText(
      'after',
      '\nExamples:\n  activate help switch\n  activate help policy\n  activate help --man | man -l -',
    )
    .action((words: readonly string[], flags: Flags) => run(async (context) => tell(context, program, words, flags)));
}

function tell(context: Context, program: Command, words: readonly string[], { man }: Flags): Promise<number> {
  const topic = topics.find(({ name }) => name === words.join(' '));
  if (man !== undefined) context.write(renderRoff(pageOf(context, program, topic)));
  else if (topic !== undefined) context.write(renderTopic(context, topic));
  else commandAt(program, words).outputHelp();
  return Promise.resolve(0);
}

function pageOf({ version }: Context, program: Command, topic: Topic | undefined): Parameters<typeof renderRoff>[0] {
  const chapter = topic?.name === 'policy' ? 5 : 1;
  const page = manualPages(shapeOf(program), version).find((each) => each.chapter === chapter);
  if (page !== undefined) return page;
  throw new Error(`the manual lacks chapter ${chapter}`);
}

function renderTopic({ json, terminal }: Context, topic: Topic): string {
  return json ? `${JSON.stringify({ schema: 1, ...topic })}\n` : renderPlain(topic, terminal.columns);
}

function commandAt(program: Command, words: readonly string[]): Command {
  let command = program;
  for (const word of words) {
    const next = command.commands.find((each) => each.name() === word);
    if (next === undefined) throw unknown(words);
    command = next;
  }
  return command;
}

function unknown(words: readonly string[]): ActivateError {
  return new ActivateError('USAGE', `there is no help for ${JSON.stringify(words.join(' '))}`, {
    hint: `See \`activate --help\` for commands; the topics are ${topics.map(({ name }) => name).join(', ')}.`,
  });
}
