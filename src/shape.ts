import type { Argument, Command, Option } from 'commander';
import { type CommandShape, type OptionShape, wordKinds } from './core/completion/shape';

/** What commander knows of a command, as data: for completion and for the manual. */
export function shapeOf(command: Command): CommandShape {
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
