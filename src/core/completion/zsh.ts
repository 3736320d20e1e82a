import { type CommandShape, GENERATION_GLOB, type OptionShape, quote, type WordKind } from './shape';

/**
 * What zsh has to know to complete the command line.
 *
 * @see zshcompsys(1)
 */
export function renderZsh(program: CommandShape): string {
  const functions = functionsOf(program, `_${program.name}`);
  return `#compdef ${program.name}
_${program.name}_generations() {
  local -a numbers
  numbers=(${GENERATION_GLOB}(N:t))
  compadd -a numbers
}
_${program.name}_paths() {
  _alternative 'generations:generation:_${program.name}_generations' 'files:closure:_files'
}
${functions.join('')}compdef _${program.name} ${program.name}
`;
}

/** A function for a command, after those of the commands in it. */
function functionsOf(command: CommandShape, name: string): string[] {
  const below = command.commands.flatMap((each) => functionsOf(each, `${name}_${each.name}_command`));
  const options = command.options.map((option) => `    ${quote(specificationOf(option, name))} \\\n`).join('');
  if (command.commands.length === 0) {
    const action = command.choices.length === 0 ? actionOf(command.words, name) : `(${command.choices.join(' ')})`;
    return [...below, `${name}() {\n  _arguments \\\n${options}    ${quote(`*:argument:${action}`)}\n}\n`];
  }
  const described = command.commands.map(({ name: each, summary }) => `    ${quote(`${each}:${summary}`)}`).join('\n');
  const cases = command.commands.map(({ name: each }) => `        ${each}) ${name}_${each}_command ;;`).join('\n');
  return [
    ...below,
    `${name}() {
  local curcontext=$curcontext state line
  local -a commands
  commands=(
${described}
  )
  _arguments -C \\
${options}    '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $line[1] in
${cases}
      esac ;;
  esac
}
`,
  ];
}

function specificationOf({ name, summary, value }: OptionShape, owner: string): string {
  const described = `${name}[${summary.replaceAll(/[[\]:]/gu, String.raw`\$&`)}]`;
  if (value === undefined) return described;
  return 'choices' in value
    ? `${described}:value:(${value.choices.join(' ')})`
    : `${described}:value:${actionOf([value.kind], owner)}`;
}

function actionOf(words: readonly WordKind[], owner: string): string {
  const program = `_${owner.split('_')[1] ?? ''}`;
  if (words.includes('generation')) return words.includes('closure') ? `${program}_paths` : `${program}_generations`;
  if (words.includes('directory')) return '_files -/';
  return words.some((word) => word === 'closure' || word === 'file') ? '_files' : ' ';
}
