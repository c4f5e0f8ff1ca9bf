// The sign-in page, and the page that asks which account an app shall get. The form has no script and works
// with password managers.
import { type Html, html } from './html.ts';
import { errorSummary, hiddenFields, layout } from './layout.ts';

export type SignInPage = {
  formToken: string;
  /** where to go afterwards: a path of ours */
  next: string;
  username: string;
  /** what went wrong the last time, in a sentence */
  error?: string | undefined;
  /** the app that waits, if one does */
  app?: { origin: string; wantsUser: string | undefined } | undefined;
  /** who is signed in already, though this page needs another */
  signedInAs?: string | undefined;
  /** where the person who is signed in already goes on without signing in again */
  continueHref?: string | undefined;
};

export function signInPage(page: SignInPage): Html {
  return layout({
    title: 'Sign in',
    narrow: true,
    content: html`<div class="card">
<h1>${page.continueHref === undefined ? 'Sign in' : 'Which account?'}</h1>
${errorSummary(page.error)}
${whyHere(page)}
${goOn(page)}
${signInForm(page)}
</div>`,
  });
}

function whyHere({ app, signedInAs }: SignInPage): Html | undefined {
  if (!app) return undefined;
  const asks =
    app.wantsUser === undefined
      ? html`<p><strong>${app.origin}</strong> asks for access to your storage. You decide on the next page.</p>`
      : html`<p><strong>${app.origin}</strong> asks for access to the storage of <strong>${app.wantsUser}</strong>. You decide on the next page.</p>`;
  if (signedInAs === undefined || app.wantsUser === undefined) return asks;
  return html`${asks}<div class="notice"><p>You are signed in as ${signedInAs}. Sign in as ${app.wantsUser} here, or go back to the app and connect it to the address of ${signedInAs}.</p></div>`;
}

function goOn({ continueHref, signedInAs }: SignInPage): Html | undefined {
  if (continueHref === undefined || signedInAs === undefined) return undefined;
  return html`<p><a class="button wide" href="${continueHref}">Continue as ${signedInAs}</a></p>
<h2 class="or">Or sign in to another account</h2>`;
}

function signInForm({ formToken, next, username, error, continueHref }: SignInPage): Html {
  const invalid = error === undefined ? undefined : html` aria-invalid="true" aria-describedby="error"`;
  return html`<form method="post" action="/login">
${hiddenFields({ form: formToken, next })}
<div class="field">
<label for="username">Name</label>
<input id="username" name="username" value="${username}" autocomplete="username" autocapitalize="none" autocorrect="off" spellcheck="false" maxlength="63" required${invalid}${username === '' && continueHref === undefined && html` autofocus`}>
</div>
<div class="field">
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required${invalid}${username !== '' && html` autofocus`}>
</div>
<button class="${continueHref === undefined ? 'wide' : 'wide quiet'}">Sign in</button>
</form>`;
}
