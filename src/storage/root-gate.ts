// One gate per user, held by a turn that creates a root document, or a repository's first document, or may
// delete its last one, until its index transaction is done: a clash between `/notes` and `/notes/x` spans two
// repositories, and only one of the two turns may look at a time.

export interface RootGates {
  /** Waits for the user's gate; the caller must call the returned function to open it again. */
  enter(user: string): Promise<() => void>;
}

export function openRootGates(): RootGates {
  const last = new Map<string, Promise<void>>();
  return {
    async enter(user) {
      const before = last.get(user);
      const { promise, resolve } = Promise.withResolvers<void>();
      last.set(user, promise);
      await before;
      return () => {
        if (last.get(user) === promise) last.delete(user);
        resolve();
      };
    },
  };
}
