import picocolors from 'picocolors';

/** Colours for a terminal; each function is the identity where there are none. */
export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly cyan: (text: string) => string;
}

/** Whether the output is a terminal is for the caller to find out. */
export function paintFor(colour: 'always' | 'never'): Paint {
  const { bold, dim, red, green, yellow, cyan } = picocolors.createColors(colour === 'always');
  return { bold, dim, red, green, yellow, cyan };
}
