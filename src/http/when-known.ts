// Most reads are answered from memory, in the turn of the event loop in which they came.

/**
 * Goes on with a value at once when it is there, and later when it has to be waited for. An `await` would cost every
 * small GET a promise and a round through the queue of microtasks.
 */
export function whenKnown<T, R>(value: T | Promise<T>, next: (value: T) => R): R | Promise<Awaited<R>> {
  return value instanceof Promise ? (value.then(next) as Promise<Awaited<R>>) : next(value);
}
