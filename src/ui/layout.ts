// What every page has: title, style, the name at the top, one main part. Pages are functions from data to HTML;
// sending them, and the headers that go with them, is http's business.
import { type Html, type HtmlValue, html } from './html.ts';
import { STYLESHEET_NAME } from './stylesheet.ts';

export type Page = {
  /** names the page in the window's title; ` · Gitstead` is added */
  title: string;
  content: Html;
  /** forms and messages read better in a narrow column */
  narrow?: boolean;
  /** right end of the bar at the top */
  aside?: HtmlValue;
};

/** A house with a branch in it, drawn in the colour of its text. */
const MARK = html`<path d="M4 11.2 12 4l8 7.2V20H4z" fill="none" stroke="currentColor" stroke-width="1.9" stroke-linejoin="round"/><path d="M9.5 9.8v6.4m0-1.1c4.6 0 5-1.2 5-3.2" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round"/><circle cx="9.5" cy="9.6" r="1.35" fill="currentColor"/><circle cx="9.5" cy="16.6" r="1.35" fill="currentColor"/><circle cx="14.5" cy="11" r="1.35" fill="currentColor"/>`;

/** The icon of the browser's tab. */
export const ICON_SVG =
  html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" color="#2f8a63">${MARK}</svg>
`.toString();
export const ICON_NAME = 'gitstead.svg';

/** A whole document. */
export function layout({ title, content, narrow = false, aside }: Page): Html {
  return html`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title} · Gitstead</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<link rel="icon" href="/assets/${ICON_NAME}" type="image/svg+xml">
<link rel="stylesheet" href="/assets/${STYLESHEET_NAME}">
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
<a class="brand" href="/"><svg viewBox="0 0 24 24" aria-hidden="true" focusable="false">${MARK}</svg>Gitstead</a>
${aside}
</header>
<main id="main" class="${narrow ? 'narrow' : 'broad'}">
${content}
</main>
<footer>Gitstead: your data, at home, with its history.</footer>
</body>
</html>
`;
}

/** What went wrong with a form, read aloud by screen readers when the page opens. */
export function errorSummary(error: string | undefined): HtmlValue {
  return error !== undefined && html`<div class="notice warn" role="alert" id="error"><p>${error}</p></div>`;
}

/** The hidden fields that every form carries. */
export function hiddenFields(fields: Record<string, string>): HtmlValue {
  return Object.entries(fields).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  );
}
