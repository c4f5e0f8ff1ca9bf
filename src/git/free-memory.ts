// Memory of large buffers given back at once, where it would else wait for the garbage collector: megabytes pass in
// milliseconds, and pages that are used again cost less than new ones.

/** Smaller buffers may share their memory with others, in Node's pool. */
const OWN_ABOVE_BYTES = 64 << 10;

/**
 * Frees the memory behind `bytes`, which is empty afterwards, as is every other view of it. Only for who made it, or was
 * given it for good. Small buffers stay as they are.
 */
export function freeMemory(bytes: Buffer): void {
  const memory = bytes.buffer;
  if (memory instanceof ArrayBuffer && memory.byteLength > OWN_ABOVE_BYTES) memory.transfer(0);
}
