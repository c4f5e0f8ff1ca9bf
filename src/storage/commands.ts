// What the commands ask of the process that owns the repositories: the server does it when they come over the control
// socket, the command itself when no server runs.

import type { Accounts } from '../db/open-accounts.ts';
import type { Index } from '../db/open-index.ts';
import { check } from './check.ts';
import type { ControlCommand, ControlRequest, ControlResult, Progress } from './control-socket.ts';
import type { Storage } from './types.ts';

export type Owned = {
  storage: Storage;
  index: Index;
  accounts: Accounts;
  repositoriesFolder: string;
};

/** @param signal ends when nobody waits for the answer any more */
export async function answerCommand(
  owned: Owned,
  request: ControlRequest,
  report: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<ControlResult<ControlCommand>> {
  const { storage, accounts } = owned;
  switch (request.command) {
    case 'ping':
      return { pid: process.pid };
    case 'drain':
      await storage.drain(request.user, request.module);
      return null;
    case 'check':
      return check({ ...owned, user: request.user, report, signal });
    case 'reindex':
      return storage.reindex();
    case 'remove-user': {
      // the account first: its tokens end with it, so that no app writes what has just been removed
      const existed = await accounts.users.remove(request.user);
      await storage.removeUser(request.user);
      return { existed };
    }
  }
}
