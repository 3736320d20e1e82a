import { parse, TomlError } from 'smol-toml';
import { ActivateError } from '../errors';
import { findJsonMistake } from './json-text';

/** What the text of a policy says, before anybody knows whether it makes sense. */
export interface PolicyText {
  readonly value: unknown;
  /** The line of each `[[path]]`, from 1; empty where the rules are written in another way. */
  readonly ruleLines: readonly number[];
}

/**
 * Reads JSON where the file's name or a brace at the beginning says so, else TOML.
 *
 * @throws {ActivateError} `POLICY` with line and column of the first mistake
 */
export function readPolicyText(text: string, file: string): PolicyText {
  const content = text.startsWith('\ufeff') ? text.slice(1) : text;
  if (file.endsWith('.json') || /^\s*\{/u.test(content)) return { value: readJson(content, file), ruleLines: [] };
  return { value: readToml(content, file), ruleLines: findRuleLines(content) };
}

function readJson(text: string, file: string): unknown {
  const mistake = findJsonMistake(text);
  if (mistake !== undefined) {
    const { line, column, expected } = mistake;
    throw new ActivateError('POLICY', `it is not JSON: line ${line}, column ${column}: expected ${expected}`, {
      path: file,
      hint: 'Mend that line.',
    });
  }
  return JSON.parse(text);
}

function readToml(text: string, file: string): unknown {
  try {
    return parse(text, { maxDepth: 20 });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = /^Invalid TOML document: (.*)/u.exec(error.message)?.[1] ?? error.message;
    throw new ActivateError('POLICY', `it is not TOML: line ${error.line}, column ${error.column}: ${reason}`, {
      path: file,
      hint: 'Mend that line. Text is written in quotes.',
      cause: error,
    });
  }
}

/** Strings and comments come first, so that a header in one of them is passed over. */
const HEADER_OR_OPAQUE =
  /"""(?:\\[^]|(?!""")[^\\])*"{3,5}|'''(?:(?!''')[^])*'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|#[^\n]*|(?<=^[\t ]*)\[\[[\t ]*(?:path|"path"|'path')[\t ]*\]\]/gmu;

function findRuleLines(text: string): number[] {
  const lines: number[] = [];
  let line = 1;
  let counted = 0;
  for (const { 0: found, index } of text.matchAll(HEADER_OR_OPAQUE)) {
    if (!found.startsWith('[[')) continue;
    line += text.slice(counted, index).split('\n').length - 1;
    counted = index;
    lines.push(line);
  }
  return lines;
}
