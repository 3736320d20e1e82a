import { type CommandShape, commandPaths, GENERATION_GLOB, type OptionShape, quote, type WordKind } from './shape';

/**
 * What bash has to know to complete the command line.
 *
 * @see bash(1), Programmable Completion
 */
export function renderBash(program: CommandShape): string {
  const paths = commandPaths(program);
  const options = paths.flatMap(({ command }) => command.options);
  const valued = [
    ...new Map(options.filter(({ value }) => value !== undefined).map((each) => [each.name, each])).values(),
  ];
  const commands = paths.filter(({ words }) => words.length > 0);
  return `# bash completion for ${program.name}
_${program.name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} at='' skip='' word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [ -n "$skip" ]; then skip=''; continue; fi
    case $word in ${valued.map(({ name }) => name).join(' | ')}) skip=1; continue ;; esac
    case "$at/$word" in
${commands.map(({ words }) => `      ${quote(`${withSlashes(words.slice(0, -1))}/${words.at(-1) ?? ''}`)}) at=${quote(withSlashes(words))} ;;`).join('\n')}
    esac
  done
  case $prev in
${valued.map((option) => `    ${option.name}) ${replyTo(option)}; return ;;`).join('\n')}
  esac
  case $at in
${paths.map(({ words, command }) => `    ${quote(withSlashes(words))}) ${replyIn(command)} ;;`).join('\n')}
  esac
}
_${program.name}_paths() {
  compopt -o filenames
  mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen "$1" -- "$cur")
}
_${program.name}_words() {
  mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$1" -- "$cur")
}
_${program.name}_generations() {
  local each
  for each in ${GENERATION_GLOB}; do
    [ -e "$each" ] && _${program.name}_words "\${each##*/}"
  done
}
complete -F _${program.name} ${program.name}
`;

  function replyTo({ value }: OptionShape): string {
    if (value === undefined) return ':';
    return 'choices' in value ? `_${program.name}_words ${quote(value.choices.join(' '))}` : replyOf(value.kind);
  }

  function replyIn({ options: own, commands: below, words, choices }: CommandShape): string {
    const names = own.map(({ name }) => name).join(' ');
    const known = [...below.map(({ name }) => name), ...choices].join(' ');
    const others = [
      ...(known === '' ? [] : [`_${program.name}_words ${quote(known)}`]),
      ...words.filter((word) => word !== 'other').map(replyOf),
    ];
    return `if [[ $cur == -* ]]; then _${program.name}_words ${quote(names)}; else ${others.join('; ') || ':'}; fi`;
  }

  function replyOf(kind: WordKind): string {
    if (kind === 'generation') return `_${program.name}_generations`;
    if (kind === 'other') return ':';
    return `_${program.name}_paths ${kind === 'directory' ? '-d' : '-f'}`;
  }
}

function withSlashes(words: readonly string[]): string {
  return words.map((word) => `/${word}`).join('');
}
