// The frame of the signed-in pages: the way between them and the way out, at the top of each; and what was just done.
import { type Html, type HtmlValue, html } from './html.ts';
import { hiddenFields, layout } from './layout.ts';

/** The pages of an account, in the order in which they are offered. */
const PAGES = [
  { href: '/account', name: 'Account' },
  { href: '/account/sessions', name: 'Browsers' },
  { href: '/account/activity', name: 'Activity' },
] as const;

export type AccountPath = (typeof PAGES)[number]['href'];

export type AccountFrame = {
  title: string;
  /** the page that this is */
  path: AccountPath;
  signOutToken: string;
  /** what a form of this page did just now */
  done?: Done | undefined;
  content: Html;
};

/** What a form did, told once on the page that comes after it. */
export type Done =
  | { kind: 'app-revoked'; app: string }
  | { kind: 'token-revoked' }
  | { kind: 'session-ended' }
  | { kind: 'others-ended' };

export function accountLayout({ title, path, signOutToken, done, content }: AccountFrame): Html {
  const said = done && sentencesFor(done);
  return layout({
    // read first by screen readers when the page has come
    title: said === undefined ? title : `${said.what} · ${title}`,
    aside: html`<nav class="pages" aria-label="Your account">${PAGES.map((page) => link(page, path))}</nav>
<form method="post" action="/logout">${hiddenFields({ form: signOutToken })}<button class="quiet">Sign out</button></form>`,
    content: html`${said && html`<div class="notice done" role="status"><p><strong>${said.what}.</strong> ${said.more}</p></div>\n`}${content}`,
  });
}

function link({ href, name }: (typeof PAGES)[number], path: AccountPath): HtmlValue {
  return html`<a href="${href}"${href === path && html` aria-current="page"`}>${name}</a>`;
}

function sentencesFor(done: Done): { what: string; more: string } {
  switch (done.kind) {
    case 'app-revoked':
      return {
        what: `${new URL(done.app).host} can no longer reach your storage`,
        more: 'What it stored here stays, and you can allow it again from the app.',
      };
    case 'token-revoked':
      return { what: 'The token no longer works', more: 'What was stored with it stays.' };
    case 'session-ended':
      return { what: 'That browser is signed out', more: 'Apps that you use in it are still connected.' };
    case 'others-ended':
      return {
        what: 'All other browsers are signed out',
        more: 'Apps that you use in them are still connected.',
      };
  }
}
