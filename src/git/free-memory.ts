// Memory of large buffers given back at once, where it would else wait for the garbage collector: megabytes pass in
// milliseconds, and pages that are used again cost less than new ones.

/** Whether a buffer has memory to itself. Small ones may share theirs with others, in Node's pool. */
function hasOwnMemory(bytes: Buffer): boolean {
  return bytes.length > Buffer.poolSize >>> 1 && bytes.buffer instanceof ArrayBuffer;
}

/**
 * Frees the memory behind `bytes`, which is empty afterwards, as is every other view of it. Only for who made it, or was
 * given it for good. Buffers that may share their memory stay as they are.
 */
export function freeMemory(bytes: Buffer): void {
  if (hasOwnMemory(bytes)) (bytes.buffer as ArrayBuffer).transfer(0);
}
