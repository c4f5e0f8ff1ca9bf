// The browsers in which somebody is signed in to an account, and the buttons that sign them out.
import { accountLayout, type Done } from './account-layout.ts';
import { type Html, type HtmlValue, html } from './html.ts';
import { hiddenFields } from './layout.ts';
import { formatDay } from './words.ts';

export type SignedInBrowser = {
  /** public name of the session */
  id: string;
  /** `Firefox on Linux` */
  browser: string;
  since: number;
  lastUsedAt: number;
  /** the browser that asks */
  isThis: boolean;
  formToken: string;
};

export type SessionsPage = {
  browsers: readonly SignedInBrowser[];
  endOthersToken: string;
  signOutToken: string;
  done?: Done | undefined;
};

export const END_SESSION_PATH = '/account/sessions/end';
export const END_OTHERS_PATH = '/account/sessions/end-others';

export function sessionsPage({ browsers, endOthersToken, signOutToken, done }: SessionsPage): Html {
  return accountLayout({
    ...{ title: 'Signed-in browsers', path: '/account/sessions', signOutToken, done },
    content: html`<h1>Signed-in browsers</h1>
<p class="soft">You are signed in to this server in these browsers. Sign out what you do not know or no longer use. Apps stay connected: you find them under <a href="/account">Account</a>.</p>
<section class="card" aria-label="Browsers">
<ul class="entries compact">
${browsers.map(entry)}</ul>
${everywhereElse(browsers, endOthersToken)}
</section>`,
  });
}

function entry({ id, browser, since, lastUsedAt, isThis, formToken }: SignedInBrowser): Html {
  const name = `browser-${id}`;
  return html`<li class="entry${isThis && ' this'}">
<div class="who"><h2 class="browser" id="${name}">${browser}${isThis && html` <span class="tag">This browser</span>`}</h2></div>
<ul class="facts">
<li>Signed in on ${formatDay(since)}</li>
<li>${isThis ? 'Used now' : `Last used on ${formatDay(lastUsedAt)}`}</li>
</ul>
<div class="actions">
<form method="post" action="${END_SESSION_PATH}">${hiddenFields({ form: formToken, session: id })}<button class="quiet" aria-describedby="${name}">Sign out</button></form>
</div>
</li>
`;
}

function everywhereElse(browsers: readonly SignedInBrowser[], token: string): HtmlValue {
  if (!browsers.some(({ isThis }) => !isThis)) {
    return html`<p class="soft all">You are signed in nowhere else.</p>`;
  }
  return html`<form class="all" method="post" action="${END_OTHERS_PATH}">${hiddenFields({ form: token })}<button class="quiet">Sign out everywhere else</button></form>`;
}
