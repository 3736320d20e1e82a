import type { CommandShape } from '../completion/shape';
import { commandPaths } from '../completion/shape';
import type { Page } from './roff';
import { type Block, type Section, text } from './topic';
import { topics } from './topics';

/** The pages of the manual, made of the same texts as the help: activate(1) and activation.toml(5). */
export function manualPages(program: CommandShape, version: string): Page[] {
  const [policy, ...others] = topics;
  const sections = others.flatMap((topic) => topic.sections);
  return [
    {
      name: program.name,
      chapter: 1,
      summary: 'make /etc show a built system closure',
      version,
      sections: [...commandSections(program), ...sections, SEE_ALSO],
    },
    {
      name: 'activation.toml',
      chapter: 5,
      summary: policy?.summary ?? '',
      version,
      sections: policy?.sections ?? [],
    },
  ];
}

const SEE_ALSO: Section = {
  title: 'See also',
  blocks: [text('activation.toml(5), tmpfiles.d(5), systemd-tmpfiles(8)')],
};

function commandSections(program: CommandShape): Section[] {
  const commands = commandPaths(program).filter(({ words }) => words.length > 0);
  return [
    { title: 'Synopsis', blocks: [text(`${program.name} [options] command [arguments]`)] },
    { title: 'Description', blocks: [text(program.summary)] },
    { title: 'Options of all commands', blocks: [{ kind: 'terms', terms: optionTerms(program) }] },
    {
      title: 'Commands',
      blocks: commands.flatMap(({ words, command }) =>
        commandBlocks(program, `${program.name} ${words.join(' ')}`, command),
      ),
    },
  ];
}

function commandBlocks(program: CommandShape, name: string, command: CommandShape): Block[] {
  const head: Block = { kind: 'terms', terms: [[name, sentence(command.summary)]] };
  return [head, ...ownOptions(program, command)];
}

function ownOptions(program: CommandShape, command: CommandShape): Section['blocks'] {
  const shared = new Set(program.options.map(({ name }) => name));
  const terms = optionTerms({ ...command, options: command.options.filter(({ name }) => !shared.has(name)) });
  return terms.length === 0 ? [] : [{ kind: 'terms', terms }];
}

function optionTerms({ options }: CommandShape): (readonly [string, string])[] {
  return options.map(({ name, summary, value }) => {
    const shown =
      value === undefined ? name : 'choices' in value ? `${name} ${value.choices.join('|')}` : `${name} ${value.kind}`;
    return [shown, sentence(summary)] as const;
  });
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}
