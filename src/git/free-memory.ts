// Whose memory a buffer's bytes lie in. Large buffers give theirs back at once, where it would else wait for the garbage
// collector: megabytes pass in milliseconds, and pages that are used again cost less than new ones. What is kept for long
// has memory of its own.

/** Whether a buffer has memory to itself. Small ones may share theirs with others, in Node's pool. */
function hasOwnMemory(bytes: NodeJS.ArrayBufferView): boolean {
  return bytes.byteLength > Buffer.poolSize >>> 1 && bytes.buffer instanceof ArrayBuffer;
}

/**
 * Frees the memory behind `bytes`, which is empty afterwards, as is every other view of it. Only for who made it, or was
 * given it for good. Buffers that may share their memory stay as they are.
 */
export function freeMemory(bytes: NodeJS.ArrayBufferView): void {
  if (hasOwnMemory(bytes)) (bytes.buffer as ArrayBuffer).transfer(0);
}

/** As `freeMemory`, if the buffer is all of its memory: a view of a part would take others' bytes with it. */
export function freeWhole(bytes: Buffer): void {
  if (hasAll(bytes)) freeMemory(bytes);
}

/**
 * The same bytes, in memory that holds nothing else: for what is kept. Node cuts small buffers (from `Buffer.from`,
 * `allocUnsafe`, `concat`, `readFileSync`) out of pieces of 64 KiB, and one that is kept keeps the whole piece.
 */
export function inOwnMemory(bytes: Buffer): Buffer<ArrayBuffer> {
  if (hasAll(bytes)) return bytes;
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

function hasAll(bytes: Buffer): bytes is Buffer<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer && bytes.buffer.byteLength === bytes.length;
}
