// Text of others (names of documents, origins, what a browser calls itself) as something that can be shown on a terminal or
// kept in a line: what could make a line, move a cursor or turn text around is written as its code point.

/** Controls (C0, DEL, C1), format characters (bidi, zero width, tags), line and paragraph separators, lone surrogates. */
const UNSHOWABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * `a<ESC>b` → `a\u{1b}b`
 * @param length the most characters to give, the last of them `…` when there were more; undefined: all
 */
export function plainText(text: string, length = Number.POSITIVE_INFINITY): string {
  const plain = text.replaceAll(UNSHOWABLE, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
  return plain.length <= length ? plain : `${plain.slice(0, length - 1)}…`;
}

/**
 * JSON of the same value, all of whose strings can be shown: JSON itself escapes C0 only.
 * @param indent spaces for each level; undefined: all in one line
 */
export function plainJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replaceAll(UNSHOWABLE, (character) =>
    // between strings, the line ends of the indented form
    character === '\n' ? character : character.split('').map(escapeUnit).join(''),
  );
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
