// How the signed-in pages look, beyond what every page has: the way between them, and lists of apps and browsers. Part of
// the one style sheet, which has the colours.

export const ACCOUNT_STYLES = `
.pages { display: flex; flex-wrap: wrap; gap: 0.25rem; margin: 0 auto 0 0.75rem; }
.pages a { padding: 0.35rem 0.8rem; border-radius: 8px; color: var(--soft); font-weight: 560; text-decoration: none; }
.pages a:hover { background: var(--tint); color: var(--text); }
.pages a[aria-current] { background: var(--tint); color: var(--text); }
.notice.done { border-color: var(--accent); }
ul.entries { list-style: none; margin: 0; padding: 0; }
.entry { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 0.9rem 2rem; padding: 1.4rem 0; border-top: 1px solid var(--line); }
.entry:first-child { padding-top: 0.4rem; border-top: 0; }
.entry:last-child { padding-bottom: 0; }
.entry .who { grid-column: 1 / -1; grid-row: 1; padding-right: 13rem; overflow-wrap: anywhere; }
.entry h3, .entry h2 { margin: 0; font-size: 1.2rem; font-weight: 680; line-height: 1.3; letter-spacing: -0.01em; }
.entry h3.token { font-size: 1rem; letter-spacing: 0; }
.entry .address { margin: 0; color: var(--soft); font-size: 0.9rem; overflow-wrap: anywhere; }
.entry .hint { margin: 0.2rem 0 0; color: var(--soft); font-size: 0.9rem; }
.entry .warning { color: var(--warn); }
.entry h4 { margin: 0 0 0.2rem; color: var(--soft); font-size: 0.875rem; font-weight: 600; }
.entry ul.scopes { margin: 0; }
.entry ul.scopes li { padding: 0.2rem 0 0.2rem 1.35rem; border: 0; overflow-wrap: anywhere; }
.entry ul.scopes li::before { top: 0.72rem; left: 0.1rem; }
ul.writes { list-style: none; margin: 0; padding: 0; }
ul.writes li { padding: 0.2rem 0; }
.lately p { margin: 0; }
.writes .path { display: block; overflow-wrap: anywhere; }
.writes .when { display: block; color: var(--soft); font-size: 0.875rem; }
.facts { grid-column: 1 / -1; list-style: none; display: flex; flex-wrap: wrap; gap: 0.1rem 0.6rem; margin: 0; padding: 0; color: var(--soft); font-size: 0.9rem; }
.facts li + li::before { content: "·" / ""; margin-right: 0.6rem; }
.compact .entry { gap: 0.3rem 2rem; }
.compact .entry:first-child { padding-top: 0; }
.compact .entry .actions { grid-row: 1 / span 2; align-self: center; }
.compact .entry .facts { grid-row: 2; padding-right: 13rem; }
.entry .actions { grid-column: 2; grid-row: 1; align-self: start; display: flex; justify-content: flex-end; gap: 0.6rem; }
.entry .actions .button { display: inline-flex; align-items: center; justify-content: center; }
.entry .actions .button, .entry .actions button { min-height: 2.5rem; padding: 0.35rem 1.1rem; }
button.revoke { color: var(--warn); border-color: var(--warn-line); }
button.revoke:hover { background: var(--warn-tint); color: var(--warn); border-color: var(--warn); }
.tag { display: inline-block; margin-left: 0.35rem; padding: 0.1rem 0.6rem; border-radius: 99px; background: var(--tint); color: var(--accent-strong); font-size: 0.85rem; font-weight: 600; letter-spacing: 0; vertical-align: 0.1em; }
.all { margin-top: 1.4rem; padding-top: 1.4rem; border-top: 1px solid var(--line); }
@media (max-width: 40rem) {
  header.top:has(.pages) { flex-wrap: wrap; }
  .pages { order: 1; flex-basis: 100%; margin: 0 -0.8rem; }
  .entry { grid-template-columns: minmax(0, 1fr); }
  .entry .who, .compact .entry .facts { grid-row: auto; padding-right: 0; }
  .entry .actions, .compact .entry .actions { grid-column: 1; grid-row: auto; align-self: auto; display: grid; grid-auto-columns: 1fr; grid-auto-flow: column; }
  .entry .actions button, form.all button { width: 100%; }
  .compact .entry .actions { margin-top: 0.6rem; }
  .facts { flex-direction: column; }
  .facts li + li::before { content: none; }
}
`;
