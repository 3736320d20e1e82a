import { type Argument, Command, type Option } from 'commander';
import type { Context } from '../context';
import { renderBash } from '../core/completion/bash';
import { renderFish } from '../core/completion/fish';
import { type CommandShape, type OptionShape, wordKinds } from '../core/completion/shape';
import { renderZsh } from '../core/completion/zsh';
import type { Run } from '../options';

const renderers = { bash: renderBash, fish: renderFish, zsh: renderZsh } as const;
type Shell = keyof typeof renderers;

/** Declares `completion`: what a shell has to know to complete command lines. */
export function declareCompletion(program: Command, run: Run): void {
  program
    .command('completion')
    .summary('print what a shell needs to complete command lines')
    .addArgument(new Command().createArgument('<shell>', 'bash, fish or zsh').choices(Object.keys(renderers)))
    .addHelpText(
      'after',
      '\nExamples:\n  activate completion bash > /etc/bash_completion.d/activate\n  activate completion fish > ~/.config/fish/completions/activate.fish',
    )
    .action((shell: Shell) => run(async (context) => print(context, renderers[shell](shapeOf(program)), shell)));
}

function print(context: Context, script: string, shell: Shell): Promise<number> {
  context.write(context.json ? `${JSON.stringify({ schema: 1, shell, script })}\n` : script);
  return Promise.resolve(0);
}

function shapeOf(command: Command): CommandShape {
  const commands = command.commands.map(shapeOf);
  return {
    name: command.name(),
    summary: command.summary() || command.description(),
    options: [...command.options.filter(({ hidden }) => !hidden).map(optionShape), HELP],
    words: command.registeredArguments.flatMap(argumentWords),
    choices: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    commands,
  };
}

const HELP: OptionShape = { name: '--help', summary: 'print what there is', value: undefined };

function argumentWords(argument: Argument): ReturnType<typeof wordKinds> {
  return argument.argChoices === undefined ? wordKinds(argument.name()) : [];
}

function optionShape(option: Option): OptionShape {
  const { long, description, argChoices } = option;
  const placeholder = /[<[]([^>\]]+)[>\]]/u.exec(option.flags)?.[1];
  const value =
    placeholder === undefined
      ? undefined
      : argChoices === undefined
        ? { kind: wordKinds(placeholder)[0] ?? ('other' as const) }
        : { choices: argChoices };
  return { name: long ?? '', summary: description, value };
}
