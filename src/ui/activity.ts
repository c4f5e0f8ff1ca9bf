// What happened to an account, in plain words: sign-ins, what apps were allowed, and what was ended. Newest first, by day.
import { parseScopes } from '../protocol/scopes.ts';
import { accountLayout } from './account-layout.ts';
import { type Html, type HtmlValue, html } from './html.ts';
import { describeScope, formatDay } from './words.ts';

export type ActivityEvent = {
  /** Unix milliseconds */
  time: number;
  kind:
    | 'signed-in'
    | 'sign-in-failed'
    | 'signed-out'
    | 'account-made'
    | 'account-removed'
    | 'password-changed'
    | 'app-allowed'
    | 'app-denied'
    | 'token-made'
    | 'app-revoked'
    | 'session-ended'
    | 'code-reused'
    | 'refresh-reused';
  /** origin */
  app: string | undefined;
  detail: string;
  /** address and browser; undefined: on the server itself, by a command or a file */
  client: string | undefined;
  browser: string | undefined;
};

export type ActivityFilter = 'all' | 'sign-ins' | 'apps';

export type ActivityPage = {
  events: readonly ActivityEvent[];
  filter: ActivityFilter;
  /** the page of what is older; undefined: there is nothing older */
  olderHref: string | undefined;
  /** the page of the newest; undefined: this is it */
  newestHref: string | undefined;
  signOutToken: string;
};

const FILTERS: readonly (readonly [ActivityFilter, string])[] = [
  ['all', 'Everything'],
  ['sign-ins', 'Sign-ins and passwords'],
  ['apps', 'Apps'],
];
const WARNINGS: readonly ActivityEvent['kind'][] = ['sign-in-failed', 'code-reused', 'refresh-reused'];

export function activityPage(page: ActivityPage): Html {
  return accountLayout({
    title: 'Activity',
    path: '/account/activity',
    signOutToken: page.signOutToken,
    content: html`<h1>Activity</h1>
<p class="soft">Who signed in to your account, and what apps were allowed. It is kept for a year. Times are in UTC.</p>
<div class="card">
<form method="get" action="/account/activity" class="filter">
<label for="show">Which events</label>
<select id="show" name="show">
${FILTERS.map(([value, label]) => html`<option value="${value}"${value === page.filter && html` selected`}>${label}</option>\n`)}</select>
<button class="quiet">Show</button>
</form>
${page.events.length === 0 ? html`<p class="soft">There is nothing here${page.filter === 'all' ? ' yet' : ' of this kind'}.</p>` : byDay(page.events).map(daySection)}
${pager(page)}
</div>
<p class="soft small">Something that was not you? Change your password, and end the access of apps that you do not know.</p>`,
  });
}

function byDay(events: readonly ActivityEvent[]): { day: string; events: ActivityEvent[] }[] {
  const days: { day: string; events: ActivityEvent[] }[] = [];
  for (const event of events) {
    const day = formatDay(event.time);
    const last = days.at(-1);
    if (last?.day === day) last.events.push(event);
    else days.push({ day, events: [event] });
  }
  return days;
}

function daySection({ day, events }: { day: string; events: readonly ActivityEvent[] }): Html {
  return html`<h2 class="day">${day}</h2>
<ul class="events">
${events.map(eventItem)}</ul>
`;
}

function eventItem(event: ActivityEvent): Html {
  const time = new Date(event.time).toISOString();
  const isWarning = WARNINGS.includes(event.kind);
  return html`<li${isWarning && html` class="warning"`}><time datetime="${time}">${time.slice(11, 16)}</time><div>${sentence(event)}</div></li>
`;
}

function pager({ olderHref, newestHref }: ActivityPage): HtmlValue {
  if (olderHref === undefined && newestHref === undefined) return undefined;
  return html`<nav class="pager" aria-label="More events">${newestHref !== undefined && html`<a href="${newestHref}">Newest</a>`}${olderHref !== undefined && html`<a href="${olderHref}" rel="next">Older</a>`}</nav>`;
}

/** What happened, in a sentence without its full stop; where from, in it or below it. */
function sentence(event: ActivityEvent): HtmlValue {
  const { kind, detail } = event;
  const app = appName(event.app);
  switch (kind) {
    case 'signed-in':
      return html`Signed in ${from(event)}`;
    case 'sign-in-failed':
      return [html`A sign-in failed${detail !== '' && `: ${detail}`}`, sourceLine(event)];
    case 'signed-out':
      return html`Signed out ${from(event)}`;
    case 'session-ended':
      return [html`${detail === '' ? 'A browser' : detail} was signed out`, sourceLine(event)];
    case 'account-made':
      return html`The account was made ${from(event)}`;
    case 'account-removed':
      return html`The account was removed ${from(event)}`;
    case 'password-changed':
      return html`The password was changed ${from(event)}`;
    case 'app-allowed':
      return [html`You allowed ${app} ${permissions(detail)}`, sourceLine(event)];
    case 'app-denied':
      return [html`You did not allow ${app} to use your storage`, sourceLine(event)];
    case 'token-made':
      return [
        html`A token was made${event.app !== undefined && html` for ${app}`} ${permissions(detail)}`,
        sourceLine(event),
      ];
    case 'app-revoked':
      return [html`The access of ${app} was ended${detail !== '' && `: ${detail}`}`, sourceLine(event)];
    case 'code-reused':
      return [
        html`A one-time code for ${app} came a second time, so the access that it gave was ended${detail !== '' && `: ${detail}`}`,
        sourceLine(event),
      ];
    case 'refresh-reused':
      return [
        html`${app} renewed its access twice with the same key. Somebody may have a copy, so the access was ended${detail !== '' && `: ${detail}`}`,
        sourceLine(event),
      ];
  }
}

/** The host of an app on the web; the whole origin of one on this computer. */
function appName(origin: string | undefined): HtmlValue {
  if (origin === undefined) return 'a token from the terminal';
  return html`<strong>${origin.replace(/^https:\/\//, '')}</strong>`;
}

/** `to read your “notes” data, and to read and change your “contacts” data`
    @param detail scopes, and after a comma how else it came about */
function permissions(detail: string): string {
  const [scopes = '', ...others] = detail.split(', ');
  const parts = parseScopes(scopes)?.map(describeScope) ?? [`Do this: ${scopes}`];
  const all = parts.map((part) => `to ${part.charAt(0).toLowerCase()}${part.slice(1)}`).join(', and ');
  return [all, ...others].join(', ');
}

function from({ client, browser }: ActivityEvent): string {
  if (client === undefined) return 'on the server itself';
  return `with ${browser ?? 'an unknown browser'} from ${client}`;
}

function sourceLine({ client, browser }: ActivityEvent): Html {
  const text = client === undefined ? 'On the server itself' : `${browser ?? 'Unknown browser'}, ${client}`;
  return html`<span class="source">${text}</span>`;
}
