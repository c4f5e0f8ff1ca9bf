// `gitstead token …`: bearer tokens made, listed and revoked from the terminal, also while the server runs.
import { Argument, Command, Option } from 'commander';
import type { Grant } from '../db/grants.ts';
import { isSecret } from '../db/secrets.ts';
import { GitsteadError } from '../errors.ts';
import type { UserName } from '../protocol/paths.ts';
import { formatScopes, parseScopes, type Scope } from '../protocol/scopes.ts';
import { noSuchUser, withAccounts } from './accounts.ts';
import {
  addDataOption,
  addExample,
  addJsonOption,
  dataFolderIn,
  durationArgument,
  originArgument,
  scopesArgument,
  userNameArgument,
} from './arguments.ts';
import { formatTime, isoTime, print, printJson, printTable } from './terminal.ts';

type DataOption = { data?: string };

export function tokenCommand(): Command {
  return new Command('token')
    .description('tokens with which programs reach the storage: create, list, revoke')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(revokeCommand());
}

function createCommand(): Command {
  const command = addDataOption(new Command('create'))
    .description('make a token and print it, and nothing else')
    .addArgument(new Argument('<name>', 'name of the account').argParser(userNameArgument))
    .addArgument(
      new Argument('<scope...>', 'what it allows: notes:rw, contacts:r, *:rw').argParser(scopesArgument),
    )
    .addOption(new Option('--app <origin>', 'the app that it is for').argParser(originArgument))
    .addOption(
      new Option('--expires <time>', 'how long it works, such as 30d (default: for ever)').argParser(
        durationArgument,
      ),
    )
    .action(
      async (
        user: UserName,
        given: readonly Scope[],
        options: DataOption & { app?: string; expires?: number },
      ) => {
        // one module each, with the sum of its levels
        const scopes = parseScopes(formatScopes(given));
        if (!scopes) throw new GitsteadError('bad-request', 'these are too many scopes');
        await withAccounts(dataFolderIn(options), async ({ users, tokens, audit }) => {
          if (!(await users.find(user))) throw noSuchUser(user);
          const { token } = await tokens.create(
            { user, app: options.app, scopes, kind: 'command-line' },
            options.expires === undefined ? undefined : Date.now() + options.expires,
          );
          const detail = formatScopes(scopes);
          await audit.record({ kind: 'token-made', user, app: options.app, detail });
          print(token);
        });
      },
    );
  return addExample(command, "gitstead token create alice 'notes:rw contacts:r' --expires 30d");
}

function listCommand(): Command {
  const command = addJsonOption(addDataOption(new Command('list')))
    .description('list tokens: what they allow, since when, last used (never the tokens themselves)')
    .addArgument(new Argument('[name]', 'only those of this account').argParser(userNameArgument))
    .action(async (user: UserName | undefined, options: DataOption & { json?: true }) => {
      const found = await withAccounts(dataFolderIn(options), async ({ users, grants }) => {
        if (user !== undefined && !(await users.find(user))) throw noSuchUser(user);
        return grants.list(user);
      });
      if (options.json) printJson(found.map(asJson));
      else printTable(['ID', 'USER', 'SCOPES', 'CREATED', 'EXPIRES', 'LAST USED', 'APP'], found.map(asRow));
    });
  return addExample(command, 'gitstead token list alice');
}

function revokeCommand(): Command {
  const command: Command = addDataOption(new Command('revoke'))
    .description('end a token at once')
    .addArgument(
      new Argument('<token-or-id>', 'the token, or its id as token list shows it').argParser((text) => {
        if (!text.startsWith('-') || isSecret(text)) return text;
        return command.error(`error: unknown option '${text}'`, { exitCode: 2 });
      }),
    )
    .allowUnknownOption() // one token in 64 begins with a dash
    .action(async (tokenOrId: string, options: DataOption) => {
      await withAccounts(dataFolderIn(options), async ({ grants, audit }) => {
        const revoked = (await grants.revokeToken(tokenOrId)) ?? (await grants.revoke(tokenOrId));
        if (!revoked) throw new GitsteadError('not-found', 'there is no such token');
        const { user, app } = revoked;
        await audit.record({ kind: 'app-revoked', user, app });
      });
    });
  return addExample(command, 'gitstead token revoke 3f9c2a7b1e5d8046');
}

function asJson(token: Grant): Record<string, unknown> {
  const time = (value: number | undefined) => (value === undefined ? null : isoTime(value));
  return {
    id: token.id,
    user: token.user,
    scopes: formatScopes(token.scopes),
    app: token.app ?? null,
    kind: token.kind,
    created: time(token.createdAt),
    expires: time(token.expiresAt),
    lastUsed: time(token.lastUsedAt),
  };
}

function asRow(token: Grant): string[] {
  const time = (value: number | undefined) => (value === undefined ? 'never' : formatTime(value));
  return [
    token.id,
    token.user,
    formatScopes(token.scopes),
    time(token.createdAt),
    time(token.expiresAt),
    time(token.lastUsedAt),
    token.app ?? '',
  ];
}
