/** A piece of a text that is shown on a terminal and in a manual page. */
export type Block =
  | { readonly kind: 'text'; readonly text: string }
  /** Shown as it is. */
  | { readonly kind: 'code'; readonly text: string }
  /** Each term with what it means. */
  | { readonly kind: 'terms'; readonly terms: readonly (readonly [term: string, meaning: string])[] };

export interface Section {
  readonly title: string;
  readonly blocks: readonly Block[];
}

/** What `activate help NAME` tells. */
export interface Topic {
  readonly name: string;
  readonly summary: string;
  readonly sections: readonly Section[];
}

export function text(...lines: readonly string[]): Block {
  return { kind: 'text', text: lines.join(' ') };
}
