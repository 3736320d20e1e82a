import type { Context } from './context';
import { fold } from './core/report/text/fold';

/** Writes a result in words: on a terminal in lines that fit it. A document, and what is piped, stays as it is. */
export function say({ write, json, terminal }: Context, text: string): void {
  write(json || !terminal.isTerminal ? text : fold(text, terminal.columns));
}
