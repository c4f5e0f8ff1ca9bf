// Runs the conformance table against any server, ours or another:
//
//   node test/conformance/run.ts --url http://localhost:8000 --user alice --token-rw T --token-r T
//
// --url URL               scheme, host and port
// --user NAME             whose storage it is; its root is taken to be URL/storage/NAME
// --root PATH             the path of the root, when it is another: --root /remote.php/alice
// --module NAME           the module that may be written to (conformance)
// --token-rw T            a token with the scope <module>:rw
// --token-r T             … <module>:r
// --token-root-rw T       … *:rw           ⎫
// --token-root-r T        … *:r            ⎬ without these four,
// --token-other-module T  … elsewhere:rw   ⎪ the rows that need them
// --token-other-user T    … *:rw of bob    ⎭ are skipped
// --only TEXT             rows with TEXT in their title
//
// With Gitstead, `gitstead token create alice conformance:rw` makes such a token. Each row works in a folder of its own,
// which is emptied afterwards. Rows marked with ~ tell what Gitstead does where the standards leave it open: when
// they fail elsewhere, that is a difference and no fault. The exit code is 1 when any other row fails.
import { parseArgs } from 'node:util';
import { type Clause, clear, openRow, type Target } from './clause.ts';
import { CLAUSES, titleOf } from './clauses.ts';
import { openClient } from './client.ts';

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    url: text,
    user: text,
    root: text,
    module: { ...text, default: 'conformance' },
    only: { ...text, default: '' },
    'token-rw': text,
    'token-r': text,
    'token-root-rw': text,
    'token-root-r': text,
    'token-other-module': text,
    'token-other-user': text,
  },
});
const { url, user, 'token-rw': rw, 'token-r': r } = values;
if (url === undefined || (user ?? values.root) === undefined || rw === undefined || r === undefined) {
  console.error(
    'needed are --url, --user (or --root), --token-rw and --token-r; the head of this file tells more',
  );
  process.exit(2);
}

const target: Target = {
  client: openClient(url),
  root: values.root ?? `/storage/${user}`,
  host: new URL(url).host,
  module: values.module,
  tokens: {
    rw,
    r,
    rootRw: values['token-root-rw'],
    rootR: values['token-root-r'],
    otherModule: values['token-other-module'],
    otherUser: values['token-other-user'],
  },
};

type Outcome = 'passed' | 'skipped' | 'differs' | 'failed';

async function runRow(clause: Clause): Promise<Outcome> {
  const missing = clause.needs?.filter((token) => target.tokens[token] === undefined) ?? [];
  if (missing.length > 0) {
    console.log(`- ${titleOf(clause)}\n    skipped: no token for ${missing.join(', ')}`);
    return 'skipped';
  }
  const server = openRow(target);
  const mark = clause.isChoice ? '~' : ' ';
  try {
    await clause.run(server);
    console.log(`✔${mark}${titleOf(clause)}`);
    return 'passed';
  } catch (error) {
    console.log(`✖${mark}${titleOf(clause)}\n    ${String(error).replaceAll('\n', '\n    ')}`);
    return clause.isChoice ? 'differs' : 'failed';
  } finally {
    for (const folder of [server.folder, `/public${server.folder}`])
      await clear(server, folder).catch(() => {});
  }
}

const outcomes: Outcome[] = [];
for (const clause of CLAUSES) if (titleOf(clause).includes(values.only)) outcomes.push(await runRow(clause));
target.client.close();
const count = (outcome: Outcome) => outcomes.filter((each) => each === outcome).length;
console.log(
  `${count('passed')} passed, ${count('failed')} failed, ${count('differs')} differ in what is open, ${count('skipped')} skipped`,
);
process.exitCode = count('failed') > 0 ? 1 : 0;
