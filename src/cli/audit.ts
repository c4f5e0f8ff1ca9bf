// `gitstead audit [NAME]`: who signed in, what apps were allowed and what was ended, newest first. Works while the server runs,
// and for accounts that are no more.
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { AUDIT_KINDS, type Audit, type AuditEvent, type AuditKind, type AuditQuery } from '../db/audit.ts';
import type { UserName } from '../protocol/paths.ts';
import { noSuchUser, withAccounts } from './accounts.ts';
import {
  addDataOption,
  addExample,
  addJsonOption,
  countArgument,
  dataFolderIn,
  durationArgument,
  userNameArgument,
} from './arguments.ts';
import { formatTime, isoTime, print, printJson, printTable } from './terminal.ts';

const DEFAULT_LIMIT = 100;

type AuditOptions = { data?: string; json?: true; kind?: AuditKind[]; since?: number; limit: number };

export function auditCommand(): Command {
  const kind = new Option('--kind <kind>', 'only events of this kind; may be given several times')
    .choices(AUDIT_KINDS)
    .argParser(collectKinds);
  const command = addJsonOption(addDataOption(new Command('audit')))
    .description('show sign-ins, what apps were allowed, and what was ended, newest first')
    .addArgument(new Argument('[name]', 'only events of this account').argParser(userNameArgument))
    .addOption(kind)
    .addOption(new Option('--since <time>', 'only the last 30d, 12h or 10m').argParser(durationArgument))
    .addOption(
      new Option('-n, --limit <count>', 'stop after so many').argParser(countArgument).default(DEFAULT_LIMIT),
    )
    .action(async (user: UserName | undefined, { kind: kinds, since, limit, ...options }: AuditOptions) => {
      const found = await withAccounts(dataFolderIn(options), async ({ users, audit }) => {
        const isKnown =
          user === undefined || (await users.find(user)) || (await hasEvents(audit, { user, limit: 1 }));
        if (!isKnown) throw noSuchUser(user);
        return audit.list({ user, kinds, since: since && Date.now() - since, limit });
      });
      if (options.json) printJson(found.map(asJson));
      else show(found, limit);
    });
  return addExample(
    command,
    'gitstead audit alice --since 30d',
    'gitstead audit --kind sign-in-failed --kind code-reused --json',
  );
}

async function hasEvents(audit: Audit, query: AuditQuery): Promise<boolean> {
  return (await audit.list(query)).length > 0;
}

function collectKinds(text: string, before: readonly AuditKind[] | undefined): readonly AuditKind[] {
  const kind = AUDIT_KINDS.find((known) => known === text);
  if (kind !== undefined) return [...(before ?? []), kind];
  throw new InvalidArgumentError(`The kinds are ${AUDIT_KINDS.join(', ')}.`);
}

function show(found: readonly AuditEvent[], limit: number): void {
  printTable(['TIME', 'USER', 'WHAT', 'APP', 'FROM', 'DETAIL'], found.map(asRow));
  if (found.length === limit && process.stdout.isTTY)
    print(`These are the last ${limit}; --limit shows more.`);
}

function asRow({ time, user, kind, app, detail, client, browser }: AuditEvent): string[] {
  const from = client === undefined ? 'terminal' : [client, browser].filter(Boolean).join(', ');
  return [formatTime(time), user, kind, app ?? '', from, detail];
}

function asJson({ id, time, user, kind, app, detail, client, browser }: AuditEvent): Record<string, unknown> {
  return {
    ...{ id, time: isoTime(time), user, kind, app: app ?? null, detail },
    ...{ client: client ?? null, browser: browser ?? null },
  };
}
