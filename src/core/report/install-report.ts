import type { HookName } from '../hooks/hook';
import { hookTitles } from '../hooks/hook';
import type { Next } from '../hooks/next';
import { type FileStep, pathOf } from '../hooks/plan';
import { displayName } from './text/display';
import { plural } from './report';
import { renderTable } from './text/table';

/** What `install` did, or would do. */
export interface InstallOutcome {
  readonly hook: HookName;
  readonly why: string;
  readonly state: 'installed' | 'nothing to do' | 'planned';
  readonly steps: readonly FileStep[];
  readonly next: readonly Next[];
}

/** In words, or as a JSON document. */
export function renderInstalled(outcome: InstallOutcome, form: 'text' | 'json'): string {
  const { hook, why, state, steps, next } = outcome;
  if (form === 'json')
    return `${JSON.stringify({ schema: 1, hook, why, state, files: steps.map(fileToJson), next: next.map(nextToJson) }, undefined, 1)}\n`;
  const title = `${hook} (${hookTitles[hook]}), as ${why}`;
  if (state === 'planned') return `The hook would be ${title}.\n${renderSteps(steps)}${renderNext(next)}`;
  if (state === 'nothing to do') return `The hook is ${title}; nothing to do.\n${renderNext(next)}`;
  const changed = steps.filter(({ action }) => action !== 'keep' && action !== 'leave').length;
  return `The hook is ${title}: ${plural(changed, 'file')} changed.\n${renderLeft(steps)}${renderNext(next)}`;
}

/** What `uninstall` did. */
export interface UninstallOutcome {
  readonly hook: HookName | undefined;
  readonly removed: readonly string[];
  readonly left: readonly string[];
  readonly next: readonly Next[];
}

/** In words, or as a JSON document. */
export function renderUninstalled(outcome: UninstallOutcome, form: 'text' | 'json'): string {
  const { hook, removed, left, next } = outcome;
  if (form === 'json')
    return `${JSON.stringify({ schema: 1, hook: hook ?? null, removed, left, next: next.map(nextToJson) }, undefined, 1)}\n`;
  if (hook === undefined) return 'No hook is installed; nothing to do.\n';
  const stays = left.map((path) => `${displayName(path)}: somebody changed it, so it stays\n`).join('');
  return `The hook ${hook} is gone: ${plural(removed.length, 'file')} removed.\n${stays}${renderNext(next)}`;
}

function renderSteps(steps: readonly FileStep[]): string {
  const rows = steps.map((step) => [
    letters[step.action],
    modeOf(step),
    displayName(pathOf(step)),
    'file' in step ? step.file.why : '',
  ]);
  return renderTable(rows);
}

const letters: Readonly<Record<FileStep['action'], string>> = {
  create: 'new',
  replace: 'changed',
  keep: 'same',
  remove: 'removed',
  leave: 'left',
};

function modeOf(step: FileStep): string {
  if (!('file' in step)) return '';
  return 'linkText' in step.file ? 'link' : octal(step.file.mode);
}

function renderLeft(steps: readonly FileStep[]): string {
  const left = steps.filter(({ action }) => action === 'leave');
  return left.map((step) => `${displayName(pathOf(step))}: somebody changed it, so it stays\n`).join('');
}

function renderNext(next: readonly Next[]): string {
  return next
    .map(({ what, command }) => `${what}${command === undefined ? '' : `\n  ${command.join(' ')}`}\n`)
    .join('');
}

function nextToJson({ what, command }: Next): object {
  return { what, ...(command === undefined ? {} : { command }) };
}

function fileToJson(step: FileStep): object {
  const { action } = step;
  if (!('file' in step)) return { path: step.path, action };
  const { path, why } = step.file;
  const what = 'linkText' in step.file ? { linkText: step.file.linkText } : { mode: octal(step.file.mode) };
  return { path, action, ...what, why };
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
