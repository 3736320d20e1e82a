import { type CommandShape, commandPaths, GENERATION_GLOB, type OptionShape, quote, type WordKind } from './shape';

/**
 * What fish has to know to complete the command line.
 *
 * @see fish-completions(1)
 */
export function renderFish(program: CommandShape): string {
  const { name } = program;
  const lines = commandPaths(program).flatMap((path) => linesOf(name, path));
  return `# fish completion for ${name}
function __${name}_generations
  for each in ${GENERATION_GLOB.replace('[0-9]*', '*')}
    string match -r '[0-9]+$' -- $each
  end
end
complete -c ${name} -f
${lines.join('\n')}
`;
}

function linesOf(name: string, { words, command }: ReturnType<typeof commandPaths>[number]): string[] {
  const base = `complete -c ${name} -n ${quote(conditionOf(words, command))}`;
  const lines: string[] = [];
  for (const each of command.commands) lines.push(`${base} -f -a ${each.name} -d ${quote(each.summary)}`);
  for (const choice of command.choices) lines.push(`${base} -f -a ${choice}`);
  for (const word of command.words) lines.push(...wordLines(name, base, word));
  for (const option of command.options)
    lines.push(`${base} -l ${option.name.slice(2)}${valueOf(option)} -d ${quote(option.summary)}`);
  return lines;
}

/** The word after an option with a value is no command. */
function conditionOf(words: readonly string[], { commands }: CommandShape): string {
  const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`);
  const below = commands.map(({ name }) => name).join(' ');
  const unseen = below === '' ? [] : [`not __fish_seen_subcommand_from ${below}`];
  return [...seen, ...unseen].join('; and ');
}

function wordLines(name: string, base: string, word: WordKind): string[] {
  if (word === 'generation') return [`${base} -f -a '(__${name}_generations)'`];
  if (word === 'other') return [];
  return [word === 'directory' ? `${base} -f -a '(__fish_complete_directories)'` : `${base} -F`];
}

function valueOf({ value }: OptionShape): string {
  if (value === undefined) return '';
  if ('choices' in value) return ` -x -a ${quote(value.choices.join(' '))}`;
  if (value.kind === 'generation' || value.kind === 'other') return ' -x';
  return value.kind === 'directory' ? " -x -a '(__fish_complete_directories)'" : ' -r';
}
