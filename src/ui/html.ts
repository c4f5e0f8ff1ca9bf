// The template for pages: html`<p>${text}</p>` escapes every value, unless the value is itself Html. There is no
// way to write markup from a string, so text from outside can never become markup (threat 20).

/** Markup that is safe to send. Made by the html template only. */
export class Html {
  readonly #markup: string;

  private constructor(markup: string) {
    this.#markup = markup;
  }

  toString(): string {
    return this.#markup;
  }

  static template(strings: TemplateStringsArray, ...values: HtmlValue[]): Html {
    let markup = strings[0]!;
    for (const [index, value] of values.entries()) markup += markupOf(value) + strings[index + 1]!;
    return new Html(markup);
  }
}

/** Nothing (undefined, false), a piece of text, markup, or a list of these. */
export type HtmlValue = string | number | undefined | false | Html | readonly HtmlValue[];

/** Values may stand in text and in quoted attributes; in no other place. */
export const html = Html.template;

function markupOf(value: HtmlValue): string {
  if (value === undefined || value === false) return '';
  if (value instanceof Html) return value.toString();
  if (typeof value === 'object') return value.map(markupOf).join('');
  return escapeText(String(value));
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
