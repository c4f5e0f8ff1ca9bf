// The page on which the user decides what an app may do. It shows who asks (scheme, host in punycode, path), for
// which account, and what for, and has exactly two buttons: Allow and Deny. Where a file of grants lacks lines for it, it
// shows these, and there is no Allow.
import type { Scope } from '../protocol/scopes.ts';
import { type Html, html } from './html.ts';
import { hiddenFields, layout } from './layout.ts';
import { describeScope, formatDay, isInternational } from './words.ts';

export type ConsentPage = {
  formToken: string;
  /** parsed: `origin` with its host in punycode */
  redirect: { origin: string; path: string };
  scopes: readonly Scope[];
  /** the account's address, `alice@example.com` */
  address: string;
  switchHref: string;
  /** the newest permission that this app has already */
  before?: { since: number; path: string | undefined; scopes: readonly Scope[] } | undefined;
  /** this page again */
  againHref: string;
  decidedBy:
    | {
        kind: 'user';
        /** for the terminal, `K7QM-3XRN`; undefined: it can be decided on the page only */
        code: string | undefined;
        /** the page was not shown before */
        isFirstTime: boolean;
      }
    | {
        kind: 'file';
        /** to be added */
        lines: readonly string[];
        /** the answer to an Allow */
        wasRefused: boolean;
      };
};

export function consentPage(page: ConsentPage): Html {
  const { redirect } = page;
  const { host, hostname, protocol } = new URL(redirect.origin);
  return layout({
    title: `Allow ${host}?`,
    narrow: true,
    content: html`<div class="card">
<h1>${page.decidedBy.kind === 'user' ? 'Allow this app to use your storage?' : 'This app cannot be allowed yet'}</h1>
<div class="app"><span class="host">${host}</span><span class="address">${redirect.origin}${redirect.path}</span>${protocol === 'http:' && html`<span class="place">This app runs on this computer.</span>`}</div>
${isInternational(hostname) && html`<div class="notice warn"><p>The name of this app’s site is written with letters beyond a–z, shown here as <code>xn--</code>. Such a name can look like another one: make sure that you know it.</p></div>`}
<h2>It wants to</h2>
<ul class="scopes">
${page.scopes.map((scope) => html`<li${scope.module === '*' && html` class="everything"`}>${describeScope(scope)}</li>\n`)}</ul>
${hadBefore(page)}
<p class="account-line"><span>Account: <strong>${page.address}</strong></span> <a href="${page.switchHref}">Not you?</a></p>
${page.decidedBy.kind === 'user' ? decision(page, page.decidedBy) : notListed(page, page.decidedBy)}
</div>`,
  });
}

function decision(
  { formToken, againHref }: ConsentPage,
  { code, isFirstTime }: ConsentPage['decidedBy'] & { kind: 'user' },
): Html {
  return html`<form method="post">
${hiddenFields({ form: formToken })}
<div class="choices">
<button name="decision" value="allow">Allow</button>
<button name="decision" value="deny" class="quiet">Deny</button>
</div>
</form>
${code !== undefined && html`<p class="terminal">${isFirstTime ? 'Deciding in a terminal?' : 'Not decided in the terminal yet:'} <code>gitstead grant approve ${code}</code>, then <a href="${againHref}">Continue</a></p>`}`;
}

/** Lines of a file that only the server's owner can write: the user can say no, or come again. */
function notListed(
  { formToken, againHref }: ConsentPage,
  { lines, wasRefused }: ConsentPage['decidedBy'] & { kind: 'file' },
): Html {
  return html`<div class="notice warn listing"${wasRefused && html` role="alert"`}><p>${wasRefused && html`<strong>It was not allowed.</strong> `}This server lets in only what its file of grants lists (<code>auth.grantsFile</code>). These lines are missing there:</p>
<pre class="lines">${lines.map((line) => html`<code>${line}</code>\n`)}</pre></div>
<form method="post">
${hiddenFields({ form: formToken })}
<div class="choices">
<a class="button" href="${againHref}">Try again</a>
<button name="decision" value="deny" class="quiet">Deny</button>
</div>
</form>`;
}

/** What was granted before is only shown: every authorisation needs a click (threat 33). */
function hadBefore({ before, scopes, redirect }: ConsentPage): Html | undefined {
  if (!before) return undefined;
  const since = formatDay(before.since);
  const differs = differences(before, scopes, redirect.path);
  if (differs.length === 0) {
    return html`<div class="notice"><p>It had this before: you allowed the same on ${since}.</p></div>`;
  }
  return html`<div class="notice warn"><p><strong>This is not the same as before.</strong> You allowed this app on ${since}, but ${differs.join(', and ')}.</p></div>`;
}

function differences(
  before: NonNullable<ConsentPage['before']>,
  scopes: readonly Scope[],
  path: string,
): string[] {
  const found: string[] = [];
  const words = (list: readonly Scope[]): string => list.map(describeScope).sort().join('; ');
  if (words(before.scopes) !== words(scopes))
    found.push(`then it was to: ${words(before.scopes).toLowerCase()}`);
  if (before.path !== undefined && before.path !== path) found.push(`it came from the page ${before.path}`);
  return found;
}
