// The signed-in home: which apps may use the account, the address to type into apps, what is stored.
import { type ConnectedApp, connectedApps, type TerminalToken, terminalTokens } from './account-apps.ts';
import { accountLayout, type Done } from './account-layout.ts';
import { type Html, type HtmlValue, html } from './html.ts';
import { describeModule, formatSize } from './words.ts';

type StoredModule = { module: string; documents: number; bytes: number };

export type AccountPage = {
  name: string;
  isAdmin: boolean;
  /** what the user types into apps, `alice@example.com` */
  address: string;
  apps: readonly ConnectedApp[];
  tokens: readonly TerminalToken[];
  /** modules whose history cannot be read now */
  unreadable: readonly string[];
  /** undefined, like `usage`: storage is another process's, and nothing is told of it */
  modules: readonly StoredModule[] | undefined;
  usage: { documents: number; bytes: number } | undefined;
  quotaBytes: number | undefined;
  signOutToken: string;
  done?: Done | undefined;
};

export function accountPage(page: AccountPage): Html {
  return accountLayout({
    title: `Account of ${page.name}`,
    path: '/account',
    signOutToken: page.signOutToken,
    done: page.done,
    content: html`<h1>Hello, ${page.name}</h1>
${page.isAdmin && html`<p class="soft">You administer this server.</p>`}
${connectedApps(page.apps, page.unreadable)}
${terminalTokens(page.tokens)}
<section class="card" aria-labelledby="connect">
<h2 id="connect">Connect ${page.apps.length === 0 ? 'an' : 'another'} app</h2>
<p>Your address:</p>
<p class="copy">${page.address}</p>
<ol class="steps">
<li>Open an app that speaks remoteStorage and choose “Connect your storage”.</li>
<li>Type in your address, as it stands above.</li>
<li>The app brings you back here, and you decide what it may see.</li>
</ol>
<p class="soft small">Looking for one? There is a list at <a href="https://remotestorage.io/apps/" rel="noreferrer">remotestorage.io</a>.</p>
</section>
${stored(page)}`,
  });
}

function stored({ modules, usage, quotaBytes }: AccountPage): HtmlValue {
  if (modules === undefined || usage === undefined) return undefined;
  return html`<section class="card" aria-labelledby="stored">
<h2 id="stored">What you store</h2>
${storedModules(modules, usage, quotaBytes)}
</section>`;
}

function storedModules(
  modules: readonly StoredModule[],
  usage: { documents: number; bytes: number },
  quotaBytes: number | undefined,
): Html {
  if (modules.length === 0) {
    return html`<p class="soft">Nothing yet. The first app that you connect makes a folder of its own here.</p>
${quotaBytes !== undefined && html`<p class="soft small">You may store up to ${formatSize(quotaBytes)}.</p>`}`;
  }
  return html`<div class="table"><table>
<thead><tr><th scope="col">Folder</th><th scope="col" class="number">Documents</th><th scope="col" class="number">Size</th></tr></thead>
<tbody>
${modules.map(moduleRow)}</tbody>
<tfoot><tr><th scope="row">Total</th><td class="number">${usage.documents.toLocaleString('en')}</td><td class="number">${formatSize(usage.bytes)}</td></tr></tfoot>
</table></div>
${quotaBytes !== undefined && html`<p class="soft small">You use ${formatSize(usage.bytes)} of ${formatSize(quotaBytes)}.</p>`}`;
}

function moduleRow({ module, documents, bytes }: StoredModule): Html {
  return html`<tr><th scope="row">${describeModule(module)}</th><td class="number">${documents.toLocaleString('en')}</td><td class="number">${formatSize(bytes)}</td></tr>
`;
}
