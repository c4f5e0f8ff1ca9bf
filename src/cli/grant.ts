// `gitstead grant …`: what apps ask for and what they were allowed, decided, listed and ended from the terminal, also while the
// server runs. A yes lets the browser go on that asked; it gives nothing by itself.
import { Command, Option } from 'commander';
import { APPROVAL_LIFE_MS, type Approval, type CodeFault, parseApprovalCode } from '../db/approvals.ts';
import type { Grant } from '../db/grants.ts';
import { GitsteadError } from '../errors.ts';
import { formatScope, formatScopes, parseScopes, type Scope } from '../protocol/scopes.ts';
import { withAccounts } from './accounts.ts';
import { addDataOption, addExample, addJsonOption, dataFolderIn, scopesArgument } from './arguments.ts';
import { confirm, formatTime, isoTime, print, printJson, printTable } from './terminal.ts';

type DataOption = { data?: string };
type ApproveOptions = DataOption & { scope?: readonly Scope[]; yes?: true };

export function grantCommand(): Command {
  return new Command('grant')
    .description('what apps may do: approve a request by its code, list, revoke')
    .addCommand(approveCommand())
    .addCommand(listCommand())
    .addCommand(revokeCommand());
}

function approveCommand(): Command {
  const command = addDataOption(new Command('approve'))
    .description('let in the app that asks on the page which shows this code')
    .argument('<code>', 'the code on that page, such as K7QM-3XRN')
    .addOption(
      new Option(
        '--scope <scopes>',
        'only if it asks for exactly this: notes:rw; may be given several times',
      ).argParser(scopesArgument),
    )
    .option('--yes', 'do not ask')
    .action(async (text: string, options: ApproveOptions) => {
      await withAccounts(dataFolderIn(options), async ({ approvals }) => {
        const code = parseApprovalCode(text);
        if (code === undefined) throw noSuchCode('unknown');
        const found = await approvals.find(code);
        if (typeof found === 'string') throw noSuchCode(found);
        if (options.scope) refuseOtherScopes(found.scopes, options.scope);
        show(found);
        if (!options.yes && !(await asksForYes(command))) {
          print('nothing was decided');
          return;
        }
        const approved = await approvals.approve(code);
        if (typeof approved === 'string') throw noSuchCode(approved);
        print(
          `approved: load the page again, or choose Continue there, until ${formatTime(approved.expiresAt)}`,
        );
      });
    });
  return addExample(command, 'gitstead grant approve K7QM-3XRN', 'gitstead grant approve K7QM-3XRN --yes');
}

function listCommand(): Command {
  const command = addJsonOption(addDataOption(new Command('list')))
    .description('list the requests that wait for a decision, and what is allowed')
    .action(async (options: DataOption & { json?: true }) => {
      const { waiting, active } = await withAccounts(
        dataFolderIn(options),
        async ({ approvals, grants }) => ({ waiting: await approvals.list(), active: await grants.list() }),
      );
      if (options.json) printJson([...waiting.map(waitingAsJson), ...active.map(activeAsJson)]);
      else {
        printTable(
          ['ID', 'STATE', 'USER', 'SCOPES', 'SINCE', 'KIND', 'APP'],
          [...waiting.map(waitingAsRow), ...active.map(activeAsRow)],
        );
      }
    });
  return addExample(command, 'gitstead grant list --json');
}

function revokeCommand(): Command {
  const command = addDataOption(new Command('revoke'))
    .description('end what was allowed, at once')
    .argument('<id>', 'its id, as grant list shows it')
    .action(async (id: string, options: DataOption) => {
      await withAccounts(dataFolderIn(options), async ({ grants, audit }) => {
        const revoked = await grants.revoke(id);
        if (!revoked)
          throw new GitsteadError('not-found', 'there is no such grant: grant list shows them all');
        await audit.record({ kind: 'app-revoked', user: revoked.user, app: revoked.app });
      });
    });
  return addExample(command, 'gitstead grant revoke 3f9c2a7b1e5d8046');
}

function noSuchCode(fault: CodeFault): GitsteadError {
  const minutes = APPROVAL_LIFE_MS / 60_000;
  const message: Record<CodeFault, string> = {
    unknown: 'no page shows this code (any more): compare it, or load the page again',
    late: `this code is older than ${minutes} minutes: load the page again, it shows another one`,
    used: 'this code was used already, or its request was decided on the page',
  };
  return new GitsteadError('not-found', message[fault]);
}

/** Apps take it that they got what they asked for, so there is no less than that (RFC 6749, section 3.3, would allow it). */
function refuseOtherScopes(asked: readonly Scope[], given: readonly Scope[]): void {
  const sorted = (scopes: readonly Scope[]) => scopes.map(formatScope).sort().join(' ');
  const wanted = parseScopes(formatScopes(given));
  if (wanted && sorted(wanted) === sorted(asked)) return;
  throw new GitsteadError(
    'bad-request',
    `the app asks for ${formatScopes(asked)}: it can be allowed that or nothing, for apps do not understand getting less or other than they asked for`,
  );
}

function show({ app, redirect, user, scopes }: Approval): void {
  print(`app      ${app}`);
  print(`back to  ${redirect}`);
  print(`account  ${user}`);
  print(`scopes   ${formatScopes(scopes)}`);
  if (/(^|[/.])xn--/.test(app)) {
    print('The name of this app’s site has letters beyond a–z; such a name can look like another one.');
  }
}

async function asksForYes(command: Command): Promise<boolean> {
  if (process.stdin.isTTY && process.stderr.isTTY) return confirm('Let this app in?');
  return command.error('error: there is no terminal to ask in: say --yes to let it in', { exitCode: 2 });
}

const jsonTime = (time: number | undefined) => (time === undefined ? null : isoTime(time));

function waitingAsJson(approval: Approval): Record<string, unknown> {
  return {
    id: null,
    state: approval.isApproved ? 'approved' : 'pending',
    user: approval.user,
    app: approval.app,
    redirect: approval.redirect,
    scopes: formatScopes(approval.scopes),
    kind: null,
    created: jsonTime(approval.createdAt),
    expires: jsonTime(approval.expiresAt),
    lastUsed: null,
  };
}

function activeAsJson(grant: Grant): Record<string, unknown> {
  return {
    id: grant.id,
    state: 'active',
    user: grant.user,
    app: grant.app ?? null,
    redirect: grant.redirect ?? null,
    scopes: formatScopes(grant.scopes),
    kind: grant.kind,
    created: jsonTime(grant.createdAt),
    expires: jsonTime(grant.expiresAt),
    lastUsed: jsonTime(grant.lastUsedAt),
  };
}

function waitingAsRow({ user, app, scopes, createdAt, isApproved }: Approval): string[] {
  const state = isApproved ? 'approved' : 'pending';
  return ['-', state, user, formatScopes(scopes), formatTime(createdAt), '-', app];
}

function activeAsRow({ id, user, app, scopes, createdAt, kind }: Grant): string[] {
  return [id, 'active', user, formatScopes(scopes), formatTime(createdAt), kind, app ?? '-'];
}
