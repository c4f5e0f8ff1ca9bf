// The rules of a turn that look beyond its repository: documents in a user's root against modules of the same
// name, and the user's quota. Also tells whether the turn needs the user's root gate.
import type { Index } from '../db/open-index.ts';
import { GitsteadError } from '../errors.ts';
import { ROOT_MODULE } from '../protocol/paths.ts';
import { escapeRepositoryName } from './item-names.ts';
import type { OpenRepository } from './open-repository.ts';
import type { Write } from './turn.ts';

export type OutsideRules = {
  /** true when the turn may make or end what clashes with another repository */
  needsGate: boolean;
  /** the modules whose documents it may clash with: the index must have them read in */
  neighbours: readonly string[];
  clashesOutside: (write: Write) => string | undefined;
  checkQuota: (write: Write, addedBytes: number) => void;
};

/** The rules for a turn of these writes; they ask the index when they are called, so call them inside the gate. */
export function outsideRules(
  index: Index,
  repository: OpenRepository,
  writes: readonly Write[],
): OutsideRules {
  const { user, module } = repository;
  const isRoot = module === ROOT_MODULE;
  const documents = () => index.repositories.find(user, module)?.documents ?? 0;
  const deletes = writes.reduce((count, { document }) => count + (document ? 0 : 1), 0);
  const before = isRoot ? 0 : documents();

  function clashesOutside(write: Write): string | undefined {
    if (isRoot) {
      const name = write.segments[0]!;
      return (index.repositories.find(user, name)?.documents ?? 0) > 0 ? name : undefined;
    }
    if (before > deletes) return undefined; // documents stood here all along: no root document can have the name
    return hasRootDocument(index, user, module) ? module : undefined;
  }

  function checkQuota(write: Write, addedBytes: number): void {
    const { quotaBytes } = write;
    if (quotaBytes === undefined || !write.document) return;
    const folder = write.segments.slice(0, -1).join('/');
    const replaced = index.documents.find(repository.row, folder, write.segments.at(-1)!)?.size ?? 0;
    const after = index.repositories.usage(user).bytes + addedBytes + write.document.body.size - replaced;
    if (after > quotaBytes && write.document.body.size > replaced) {
      throw new GitsteadError(
        'over-quota',
        `this account may store ${quotaBytes} bytes, and this document would exceed that`,
      );
    }
  }

  const needsGate = isRoot || before <= deletes;
  const neighbours = isRoot
    ? [...new Set(writes.map(({ segments }) => segments[0]!))].filter(isModule)
    : needsGate
      ? [ROOT_MODULE]
      : [];
  return { needsGate, neighbours, clashesOutside, checkQuota };
}

/** Whether a document of the user's root has this name. */
export function hasRootDocument(index: Index, user: string, name: string): boolean {
  const root = index.repositories.find(user, ROOT_MODULE);
  return root !== undefined && index.documents.find(root.id, '', name) !== undefined;
}

/** False for names that a document of the root may have, and that are too long for a repository. */
function isModule(name: string): boolean {
  try {
    escapeRepositoryName(name);
    return true;
  } catch (error) {
    if (error instanceof GitsteadError && error.code === 'bad-path') return false;
    throw error;
  }
}
