import { displayName, escapeLine } from '../report/text/display';

/** Text as a page holds it: what a browser would obey, reorder or not show is made visible, and nothing is markup. */
export function textMarkup(text: string): string {
  return escapeMarkup(escapeLine(text));
}

/** A path, as everywhere: in double quotes where not every character can be seen. */
export function nameMarkup(path: string): string {
  return escapeMarkup(displayName(path));
}

/** The same text within an element, or within an attribute in double quotes. */
function escapeMarkup(text: string): string {
  return text.replaceAll(/[&<>"']/gu, (character) => `&#${character.charCodeAt(0)};`);
}
