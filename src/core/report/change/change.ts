import type { TargetPath } from '../../path';

/** What people and programs see at a path: links of `activate` itself are looked through, other links are not. */
export type View =
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'file';
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
      readonly content: ViewContent;
    }
  | { readonly kind: 'symlink'; readonly linkText: string }
  | { readonly kind: 'directory'; readonly mode: number; readonly uid: number; readonly gid: number }
  | { readonly kind: 'special'; readonly what: string };

/** `withheld`: not everyone may read the file, and nobody asked for secrets; `unreadable`: this user may not read it. */
export type ViewContent =
  | { readonly state: 'read'; readonly bytes: Uint8Array }
  | { readonly state: 'withheld' | 'unreadable'; readonly sizeBytes: number; readonly digest?: string };

/** What a transition changes at one path. */
export interface PathChange {
  readonly path: TargetPath;
  readonly before: View;
  readonly after: View;
  /** What `activate` does beyond replacing the one by the other, e.g. `the machine's own file is kept as backup 3`. */
  readonly notes: readonly string[];
}
