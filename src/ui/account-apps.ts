// The apps that may use an account: what each may do, since when, what it changed lately, and the button that ends it.
// Tokens that were made in the terminal for no app stand apart.
import type { Scope } from '../protocol/scopes.ts';
import { type Html, type HtmlValue, html } from './html.ts';
import { hiddenFields } from './layout.ts';
import {
  describeModule,
  describeScope,
  formatCount,
  formatDay,
  formatMinute,
  isInternational,
} from './words.ts';

export type ConnectedApp = {
  /** origin, its host in punycode */
  app: string;
  /** address of the app's page, without query and fragment */
  page: string;
  /** the page, told which account to connect to (draft, section 11) */
  openHref: string;
  scopes: readonly Scope[];
  /** how often it was allowed, counting what still holds */
  times: number;
  since: number;
  /** undefined: never */
  lastUsedAt: number | undefined;
  /** when all of it ends by itself; undefined: never */
  endsAt: number | undefined;
  /** newest first; undefined: it may not change anything */
  writes: readonly AppWrite[] | undefined;
  formToken: string;
};

/** The newest change of a document. */
export type AppWrite = { path: string; kind: 'PUT' | 'DELETE'; time: number };

export type TerminalToken = {
  id: string;
  scopes: readonly Scope[];
  since: number;
  lastUsedAt: number | undefined;
  endsAt: number | undefined;
  formToken: string;
};

export const REVOKE_APP_PATH = '/account/apps/revoke';
export const REVOKE_TOKEN_PATH = '/account/tokens/revoke';

/** @param unreadable modules whose history cannot be read now */
export function connectedApps(apps: readonly ConnectedApp[], unreadable: readonly string[]): Html {
  if (apps.length === 0) {
    return html`<section class="card" aria-labelledby="apps">
<h2 id="apps">Connected apps</h2>
<p class="soft">None. No app can see or change what you store here until you allow it.</p>
</section>`;
  }
  return html`<section class="card" aria-labelledby="apps">
<h2 id="apps">Connected apps</h2>
<p class="soft">Revoke ends at once all that an app may do here. What it stored stays, and you can allow it again.</p>
<ul class="entries">
${apps.map(appEntry)}</ul>
${unreadable.length > 0 && html`<p class="soft small">What apps changed in ${unreadable.map((module) => `“${describeModule(module)}”`).join(', ')} cannot be told at the moment.</p>`}
</section>`;
}

function appEntry(entry: ConnectedApp, index: number): Html {
  const { host, hostname, protocol } = new URL(entry.app);
  const id = `app-${index + 1}`;
  return html`<li class="entry">
<div class="who">
<h3 id="${id}">${host}</h3>
<p class="address">${entry.page}</p>
${protocol === 'http:' && html`<p class="hint">This app runs on your own computer.</p>`}
${isInternational(hostname) && html`<p class="hint warning">Its name has letters beyond a to z, shown here as <code>xn--</code>. Such a name can look like another one.</p>`}
</div>
<div class="may">
<h4>It may</h4>
${scopeList(entry.scopes)}
</div>
${lately(entry.writes)}
${facts(entry)}
<div class="actions">
<a class="button quiet" href="${entry.openHref}" rel="noreferrer" aria-describedby="${id}">Open</a>
<form method="post" action="${REVOKE_APP_PATH}">${hiddenFields({ form: entry.formToken, app: entry.app })}<button class="quiet revoke" aria-describedby="${id}">Revoke</button></form>
</div>
</li>
`;
}

function scopeList(scopes: readonly Scope[]): Html {
  return html`<ul class="scopes">
${scopes.map((scope) => html`<li${scope.module === '*' && html` class="everything"`}>${describeScope(scope)}</li>\n`)}</ul>`;
}

function lately(writes: ConnectedApp['writes']): HtmlValue {
  if (writes === undefined) return undefined;
  return html`<div class="lately">
<h4>Changed lately</h4>
${writes.length === 0 ? html`<p class="soft">Nothing.</p>` : html`<ul class="writes">\n${writes.map(writeItem)}</ul>`}
</div>`;
}

function writeItem({ path, kind, time }: AppWrite): Html {
  return html`<li><span class="path">${path}</span> <span class="when">${kind === 'DELETE' && 'Deleted '}<time datetime="${new Date(time).toISOString()}">${formatMinute(time)}</time></span></li>
`;
}

type Facts = Pick<ConnectedApp, 'since' | 'lastUsedAt' | 'endsAt'> & { times?: number };

function facts({ since, lastUsedAt, endsAt, times = 1 }: Facts): Html {
  return html`<ul class="facts">
<li>Allowed ${times > 1 && `${formatCount(times, 'time')} `}since ${formatDay(since)}</li>
<li>${lastUsedAt === undefined ? 'Never used' : `Last used on ${formatDay(lastUsedAt)}`}</li>
${endsAt !== undefined && html`<li>Ends by itself on ${formatDay(endsAt)}</li>\n`}</ul>`;
}

export function terminalTokens(tokens: readonly TerminalToken[]): HtmlValue {
  if (tokens.length === 0) return undefined;
  return html`<section class="card" aria-labelledby="tokens">
<h2 id="tokens">Made in the terminal</h2>
<p class="soft">For programs of yours. Whoever has such a token may do what stands with it.</p>
<ul class="entries">
${tokens.map(tokenEntry)}</ul>
</section>`;
}

function tokenEntry(token: TerminalToken): Html {
  const id = `token-${token.id}`;
  return html`<li class="entry">
<div class="who"><h3 class="token" id="${id}">Token <code>${token.id}</code></h3></div>
<div class="may">
<h4>It may</h4>
${scopeList(token.scopes)}
</div>
${facts(token)}
<div class="actions">
<form method="post" action="${REVOKE_TOKEN_PATH}">${hiddenFields({ form: token.formToken, grant: token.id })}<button class="quiet revoke" aria-describedby="${id}">Revoke</button></form>
</div>
</li>
`;
}
