import type { Command } from 'commander';
import type { Context } from '../context';
import { renderBash } from '../core/completion/bash';
import { renderFish } from '../core/completion/fish';
import { renderZsh } from '../core/completion/zsh';
import type { Run } from '../options';
import { shapeOf } from '../shape';

const renderers = { bash: renderBash, fish: renderFish, zsh: renderZsh } as const;
type Shell = keyof typeof renderers;

/** Declares `completion`: what a shell has to know to complete command lines. */
export function declareCompletion(program: Command, run: Run): void {
  program
    .command('completion')
    .summary('print what a shell needs to complete command lines')
    .addArgument(program.createArgument('<shell>', 'bash, fish or zsh').choices(Object.keys(renderers)))
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
