// The page for everything that goes wrong. It never leads to another site.
import { type Html, html } from './html.ts';
import { layout } from './layout.ts';

/** @param message one or two sentences for the reader; no secret, no path of this machine */
export function errorPage({ heading, message }: { heading: string; message: string }): Html {
  return layout({
    title: heading,
    narrow: true,
    content: html`<div class="card">
<h1>${heading}</h1>
<p role="alert">${message}</p>
<p><a href="/">To the start page</a></p>
</div>`,
  });
}
