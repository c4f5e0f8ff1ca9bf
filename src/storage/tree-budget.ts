// How many of the folders that turns have loaded stay in memory: those of the repositories written last, within a budget.
// What is forgotten is read again from the repository when it is needed.
import { LRUCache } from 'lru-cache';
import { loadedBytes } from './folder-trees.ts';
import type { OpenRepository } from './open-repository.ts';

export interface TreeBudget {
  /** to be called between two turns of the repository */
  keep(repository: OpenRepository): void;
  /** of one that is closed nothing is kept, so that it can go itself */
  forget(repository: OpenRepository): void;
  /** bytes */
  held(): number;
}

export function openTreeBudget(budgetBytes: number): TreeBudget {
  /** with its size as the value: the cache counts a key anew only when its value is another one */
  const kept = new LRUCache<OpenRepository, number>({
    maxSize: budgetBytes,
    sizeCalculation: (bytes) => bytes,
    dispose: (_, repository, reason) => {
      // one whose turn is under way is counted again after it
      if (reason !== 'set' && !repository.running) repository.root = undefined;
    },
  });
  return {
    keep(repository) {
      const bytes = repository.root ? loadedBytes(repository.root, budgetBytes) : 0;
      if (bytes > budgetBytes / 2) repository.root = undefined;
      if (repository.root) kept.set(repository, bytes);
      else kept.delete(repository);
    },
    forget(repository) {
      kept.delete(repository);
    },
    held: () => kept.calculatedSize,
  };
}
