// The page behind the one-time link that a new server prints: it makes the first account, an administrator.
import { type Html, html } from './html.ts';
import { errorSummary, hiddenFields, layout } from './layout.ts';

export type FirstAccountPage = {
  formToken: string;
  username: string;
  /** the part of an address after the @ */
  addressHost: string;
  error?: { field: 'username' | 'password' | undefined; message: string } | undefined;
};

export function firstAccountPage({ formToken, username, addressHost, error }: FirstAccountPage): Html {
  const invalid = (field: string) => error?.field === field && html` aria-invalid="true"`;
  return layout({
    title: 'Create the first account',
    narrow: true,
    content: html`<div class="card">
<h1>Create the first account</h1>
<p>Welcome. This account is yours, and it also administers this server.</p>
${errorSummary(error?.message)}
<form method="post">
${hiddenFields({ form: formToken })}
<div class="field">
<label for="username">Name</label>
<p class="hint" id="username-hint">In lower-case letters. Your address will be <strong>name@${addressHost}</strong></p>
<input id="username" name="username" value="${username}" autocomplete="username" autocapitalize="none" autocorrect="off" spellcheck="false" maxlength="63" required aria-describedby="username-hint"${invalid('username')} autofocus>
</div>
<div class="field">
<label for="password">Password</label>
<p class="hint" id="password-hint">At least 8 characters. Longer is better than stranger.</p>
<input id="password" name="password" type="password" autocomplete="new-password" minlength="8" required aria-describedby="password-hint"${invalid('password')}>
</div>
<button class="wide">Create account</button>
</form>
</div>`,
  });
}
