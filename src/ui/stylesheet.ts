// The one style sheet, as text, so that a build has nothing to copy. Its address changes with its content, so
// browsers may keep it for ever. Colours meet WCAG AA in both themes; there is no script and no inline style.
import { hash } from 'node:crypto';
import { ACCOUNT_STYLES } from './account-styles.ts';

const COLOURS_LIGHT = `
  --page: #f6f5f1;
  --card: #ffffff;
  --text: #22261f;
  --soft: #5a6156;
  --line: #dcdbd3;
  --field: #8b9086;
  --accent: #2f6b4f;
  --accent-strong: #24563f;
  --on-accent: #ffffff;
  --tint: #e9f1ec;
  --warn: #8a3b12;
  --warn-tint: #fdf0e6;
  --warn-line: #e5b48f;
  --shadow: 0 1px 2px rgb(30 40 30 / 6%), 0 8px 24px rgb(30 40 30 / 6%);
`;

const COLOURS_DARK = `
  --page: #151814;
  --card: #1e221d;
  --text: #e8eae4;
  --soft: #a9b0a4;
  --line: #343a32;
  --field: #7b8377;
  --accent: #7cc5a0;
  --accent-strong: #95d6b4;
  --on-accent: #0f1f17;
  --tint: #22332a;
  --warn: #f2b48a;
  --warn-tint: #38261a;
  --warn-line: #7a4d2e;
  --shadow: none;
`;

export const STYLESHEET = `:root {
  color-scheme: light dark;${COLOURS_LIGHT}}
@media (prefers-color-scheme: dark) {
  :root {${COLOURS_DARK}}
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0;
  min-height: 100vh;
  display: flex;
  flex-direction: column;
  background: var(--page);
  color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
}
a { color: var(--accent); text-underline-offset: 0.2em; }
a:hover { color: var(--accent-strong); text-decoration-thickness: 2px; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; border-radius: 4px; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: 0.5rem 1rem; z-index: 1; }
header.top {
  display: flex;
  align-items: center;
  justify-content: space-between;
  gap: 1rem;
  width: 100%;
  max-width: 56rem;
  margin: 0 auto;
  padding: 1.1rem 1.25rem;
}
.brand { display: inline-flex; align-items: center; gap: 0.55rem; color: var(--text); font-weight: 650; text-decoration: none; letter-spacing: -0.01em; }
.brand:hover { color: var(--text); }
.brand svg { width: 1.5rem; height: 1.5rem; color: var(--accent); }
main { width: 100%; max-width: 56rem; margin: 0 auto; padding: 0.75rem 1.25rem 3rem; flex: 1; }
main.narrow, .narrow + footer, header.top:has(+ main.narrow) { max-width: 29.5rem; }
footer { width: 100%; max-width: 56rem; margin: 0 auto; padding: 1rem 1.25rem 1.5rem; color: var(--soft); font-size: 0.875rem; }
h1 { margin: 0 0 0.75rem; font-size: 1.6rem; line-height: 1.22; letter-spacing: -0.018em; font-weight: 680; text-wrap: balance; }
h2 { margin: 0 0 0.5rem; font-size: 1.05rem; line-height: 1.3; font-weight: 650; }
p { margin: 0 0 0.9rem; text-wrap: pretty; }
.soft { color: var(--soft); }
.small { font-size: 0.9rem; }
.card {
  background: var(--card);
  border: 1px solid var(--line);
  border-radius: 14px;
  box-shadow: var(--shadow);
  padding: 1.75rem;
  margin: 0 0 1.25rem;
}
.card > :last-child { margin-bottom: 0; }
.field { margin: 0 0 1.1rem; }
.field label { display: block; font-weight: 600; margin-bottom: 0.3rem; }
.field .hint { margin: 0 0 0.4rem; color: var(--soft); font-size: 0.9rem; }
.field input {
  width: 100%;
  min-height: 2.9rem;
  padding: 0.5rem 0.8rem;
  border: 1px solid var(--field);
  border-radius: 9px;
  background: var(--page);
  color: var(--text);
  font: inherit;
}
.field input:focus-visible { outline-offset: 0; border-color: var(--accent); border-radius: 9px; }
.field input[aria-invalid="true"] { border-color: var(--warn); border-width: 2px; }
button, .button {
  display: inline-block;
  min-height: 2.9rem;
  padding: 0.6rem 1.4rem;
  border: 1px solid var(--accent);
  border-radius: 9px;
  background: var(--accent);
  color: var(--on-accent);
  font: inherit;
  font-weight: 620;
  text-align: center;
  text-decoration: none;
  cursor: pointer;
}
button:hover, .button:hover { background: var(--accent-strong); border-color: var(--accent-strong); color: var(--on-accent); }
button:focus-visible, .button:focus-visible { border-radius: 9px; }
button.quiet, .button.quiet { background: transparent; border-color: var(--field); color: var(--text); }
button.quiet:hover, .button.quiet:hover { background: var(--tint); color: var(--text); border-color: var(--accent); }
.wide { width: 100%; }
header.top button { min-height: 2.5rem; padding: 0.35rem 1rem; }
.card h2.or { margin-top: 1.6rem; }
.choices { display: grid; grid-template-columns: 1fr 1fr; gap: 0.75rem; margin-top: 1.5rem; }
.notice { border: 1px solid var(--line); border-radius: 9px; background: var(--tint); padding: 0.75rem 1rem; margin: 0 0 1.1rem; }
.notice.warn { border-color: var(--warn-line); background: var(--warn-tint); }
.notice > :last-child { margin-bottom: 0; }
.notice strong { font-weight: 650; }
.app { border: 1px solid var(--line); border-radius: 11px; background: var(--page); padding: 0.9rem 1.05rem; margin: 0 0 1.25rem; overflow-wrap: anywhere; }
.app .host { display: block; font-size: 1.2rem; font-weight: 680; line-height: 1.3; letter-spacing: -0.01em; }
.app .address { display: block; color: var(--soft); font-size: 0.9rem; word-break: break-all; }
.app .place { display: block; color: var(--soft); font-size: 0.9rem; margin-top: 0.35rem; padding-top: 0.35rem; border-top: 1px solid var(--line); }
ul.scopes { list-style: none; margin: 0 0 1.25rem; padding: 0; }
ul.scopes li { position: relative; padding: 0.45rem 0 0.45rem 1.65rem; }
ul.scopes li + li { border-top: 1px solid var(--line); }
ul.scopes li::before { content: ""; position: absolute; left: 0.2rem; top: 1rem; width: 0.55rem; height: 0.55rem; border-radius: 50%; background: var(--accent); }
ul.scopes li.everything { color: var(--warn); font-weight: 650; }
ul.scopes li.everything::before { background: var(--warn); border-radius: 2px; transform: rotate(45deg); }
.account-line { display: flex; flex-wrap: wrap; gap: 0 0.75rem; justify-content: space-between; border-top: 1px solid var(--line); padding-top: 1rem; margin: 0; overflow-wrap: anywhere; }
.copy { display: block; font: 600 1.1rem/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; background: var(--tint); border-radius: 9px; padding: 0.75rem 1rem; margin: 0 0 0.9rem; overflow-wrap: anywhere; user-select: all; -webkit-user-select: all; }
.terminal { margin: 1.25rem 0 0; color: var(--soft); font-size: 0.875rem; }
.terminal code { display: inline-block; }
.listing { margin-top: 1.25rem; }
pre.lines { margin: 0; white-space: normal; font-size: 0.9rem; user-select: all; -webkit-user-select: all; }
pre.lines code { display: block; padding-left: 2ch; text-indent: -2ch; }
pre.lines code + code { margin-top: 0.5rem; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.92em; overflow-wrap: anywhere; }
.table { overflow-x: auto; margin: 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 0.6rem 0.75rem 0.6rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th.number, td.number { text-align: right; padding-right: 0; padding-left: 0.75rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
thead th { color: var(--soft); font-size: 0.875rem; font-weight: 600; padding-top: 0; }
tbody th { font-weight: 600; overflow-wrap: break-word; max-width: 18rem; }
tfoot th, tfoot td { border-bottom: 0; font-weight: 650; }
ol.steps { margin: 0 0 0.9rem; padding-left: 1.3rem; }
ol.steps li { margin-bottom: 0.35rem; }
.hero { padding: 2.5rem 0 1rem; max-width: 38rem; }
.hero h1 { font-size: 2.2rem; }
.hero p { font-size: 1.1rem; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1.5rem; margin-top: 2rem; }
.columns p { color: var(--soft); }
.filter { display: flex; flex-wrap: wrap; align-items: center; gap: 0.6rem 0.75rem; margin: 0 0 1.5rem; }
.filter label { flex: 0 0 auto; font-weight: 600; }
.filter select { min-height: 2.9rem; padding: 0.5rem 0.8rem; border: 1px solid var(--field); border-radius: 9px; background: var(--page); color: var(--text); font: inherit; }
h2.day { margin: 1.4rem 0 0.25rem; color: var(--soft); font-size: 0.9rem; }
ul.events { list-style: none; margin: 0; padding: 0; }
ul.events li { display: grid; grid-template-columns: 3.5rem 1fr; padding: 0.6rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
ul.events:last-child li:last-child { border-bottom: 0; padding-bottom: 0; }
ul.events time { color: var(--soft); font-variant-numeric: tabular-nums; }
ul.events .warning div { color: var(--warn); font-weight: 600; }
ul.events .source { display: block; color: var(--soft); font-size: 0.9rem; font-weight: 400; }
.pager { display: flex; justify-content: space-between; gap: 1rem; margin-top: 1.25rem; }
.pager a[rel="next"] { margin-left: auto; }
@media (max-width: 30rem) {
  .filter label { flex-basis: 100%; }
  .filter select { flex: 1 1 8rem; min-width: 0; }
  .card { padding: 1.25rem; }
  th, td { padding-right: 0.4rem; }
  th.number, td.number { padding-left: 0.4rem; }
  tbody th { max-width: 8rem; }
  .hero { padding-top: 1rem; }
  .hero h1 { font-size: 1.8rem; }
}
${ACCOUNT_STYLES.trim()}
@media (prefers-contrast: more) {
  :root { --line: var(--field); --soft: var(--text); }
}
@media (forced-colors: active) {
  ul.scopes li::before { background: CanvasText; forced-color-adjust: none; }
}
`;

/** Name of the file under /assets/ */
export const STYLESHEET_NAME = `gitstead-${hash('sha256', STYLESHEET, 'hex').slice(0, 12)}.css`;
