/** What a word of the command line can be. */
export type WordKind = 'generation' | 'closure' | 'directory' | 'file' | 'other';

/** An option as it is typed. */
export interface OptionShape {
  /** `--on-conflict`. */
  readonly name: string;
  readonly summary: string;
  /** What follows it; `undefined` where nothing does. */
  readonly value: { readonly kind: WordKind } | { readonly choices: readonly string[] } | undefined;
}

/** A command with its options, arguments and commands of its own. */
export interface CommandShape {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionShape[];
  /** What its arguments can be, all of them in one: a number or a path. */
  readonly words: readonly WordKind[];
  /** Words that they can be, where these are known beforehand. */
  readonly choices: readonly string[];
  readonly commands: readonly CommandShape[];
}

/** What a placeholder such as `<closure|generation>` stands for. */
export function wordKinds(placeholder: string): WordKind[] {
  return placeholder.split('|').map((name) => {
    if (name === 'closure' || name === 'generation' || name === 'directory' || name === 'file') return name;
    if (name === 'link') return 'file';
    return 'other';
  });
}

/** Each command by the words that lead to it, the program itself (no words) first. */
export function commandPaths(
  command: CommandShape,
  words: readonly string[] = [],
): { readonly words: readonly string[]; readonly command: CommandShape }[] {
  return [{ words, command }, ...command.commands.flatMap((each) => commandPaths(each, [...words, each.name]))];
}

/** Text within single quotes, for sh and its relatives. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Where generations are, as a glob of all shells. */
export const GENERATION_GLOB = '/var/lib/activate/generations/[0-9]*';
