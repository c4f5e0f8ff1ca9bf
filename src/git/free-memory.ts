// Memory of large buffers given back at once, where it would else wait for the garbage collector: megabytes pass in
// milliseconds, and pages that are used again cost less than new ones.

/**
 * Frees the memory behind `bytes`, which is empty afterwards, as is every other view of it. Only for who made it, or was
 * given it for good. Small buffers, which may share their memory with others in Node's pool, stay as they are.
 */
export function freeMemory(bytes: Buffer): void {
  const { buffer } = bytes;
  const isPooled = bytes.length <= Buffer.poolSize >>> 1;
  if (!isPooled && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
