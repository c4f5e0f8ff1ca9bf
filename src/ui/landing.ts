// The start page for those who are not signed in: what this is, and the way in.
import { type Html, html } from './html.ts';
import { layout } from './layout.ts';

/** @param isNew nobody has an account yet */
export function landingPage({ isNew }: { isNew: boolean }): Html {
  return layout({
    title: 'Your data, at home',
    content: html`<section class="hero">
<h1>One place for what your apps remember.</h1>
<p>This is a storage server. Apps that speak <a href="https://remotestorage.io/" rel="noreferrer">remoteStorage</a> keep your notes, bookmarks and files here, and you decide which app may see what.</p>
${isNew ? NOBODY_YET : html`<p><a class="button" href="/login">Sign in</a></p>`}
</section>
<section class="columns">
<div><h2>Yours</h2><p>Your data stays on this server. Apps come to it, and leave it behind when they go.</p></div>
<div><h2>Asked first</h2><p>An app gets only what you allow, one part of your data at a time.</p></div>
<div><h2>With its history</h2><p>Every change is kept as a git commit: what, when, and by which app.</p></div>
</section>`,
  });
}

const NOBODY_YET = html`<div class="notice"><p>Nobody has an account here yet. Whoever started this server finds a link for the first account in its terminal.</p></div>`;
