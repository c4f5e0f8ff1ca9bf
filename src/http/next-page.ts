// Where a sign-in goes on afterwards: only to pages of ours that are known to come after one, never elsewhere.
import { parseUserName, type UserName } from '../protocol/paths.ts';

export const ACCOUNT_PAGE = '/account';

/** A page to go on to. An authorisation carries its query; `user` is undefined when the account is not chosen yet. */
export type NextPage =
  | { kind: 'account'; path: string }
  | { kind: 'authorize'; user: UserName | undefined; query: string };

/** Anything that is not such a page becomes the account page. */
export function parseNextPage(path: string): NextPage {
  const authorize = /^\/oauth\/(?:([^/?#]+)\/)?authorize\?([\x21-\x7e]*)$/.exec(path);
  if (!authorize) return { kind: 'account', path: ACCOUNT_PAGE };
  const [, name, query] = authorize;
  const user = name === undefined ? undefined : parseUserName(name);
  if (name !== undefined && user === undefined) return { kind: 'account', path: ACCOUNT_PAGE };
  return { kind: 'authorize', user, query: query! };
}

export function formatNextPage(next: NextPage): string {
  return next.kind === 'account' ? next.path : authorizePath(next.user, next.query);
}

/** The consent page of one account, or without a user the page that asks which account. */
export function authorizePath(user: UserName | undefined, query: string): string {
  return `/oauth/${user === undefined ? '' : `${user}/`}authorize?${query}`;
}
