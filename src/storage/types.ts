// What the rooms above see of the storage: the door that HTTP and the command line knock at. Ordinary answers
// are values; what is thrown is a GitsteadError. How a write becomes a commit is the engine's business.
import type { GitsteadError } from '../errors.ts';
import type { Oid } from '../git/object-id.ts';
import type { ByteStream } from '../git/object-store.ts';
import type { BodySource } from '../git/spool-pack.ts';
import type { Precondition } from '../protocol/conditions.ts';
import type { DocumentPath, FolderPath, UserName } from '../protocol/paths.ts';

export type { ByteStream } from '../git/object-store.ts';
export type { BodySource } from '../git/spool-pack.ts';

/** Who writes: becomes the commit's author and its trailers. */
export type Author = {
  user: UserName;
  /** origin of the app, for the `App:` trailer */
  app: string | undefined;
  /** the scope that allows it, for the `Grant:` trailer: `notes:rw` */
  grant: string | undefined;
};

/** A current document, without its bytes. */
export type DocumentInfo = {
  /** bare, without quotes */
  etag: string;
  /** media type, byte for byte as it was sent */
  type: string;
  /** bytes */
  size: number;
  /** HTTP-date of its last commit */
  lastModified: string;
  blob: Oid;
};

export type WriteResult =
  | { kind: 'created'; etag: string; lastModified: string }
  | { kind: 'updated'; etag: string; lastModified: string }
  /** `etag`: the version that was deleted */
  | { kind: 'deleted'; etag: string }
  | { kind: 'missing' }
  /** the precondition does not hold; `current`: the version that stands, undefined when there is none */
  | { kind: 'stale'; current: string | undefined }
  /** a document stands where a folder is needed, or the other way round; `at`: its decoded path from the user's root, `notes/a` */
  | { kind: 'clash'; at: string };

/** Who sent a write, while it is on its way. */
export type Sender = {
  /** Asked once more when the body has come to its end, or the write has waited: throws when what allowed it has ended. */
  confirm(): void | Promise<void>;
  /**
   * Calls back, once, when nobody waits for the answer any more, at once if that is so already.
   * @returns takes it back
   */
  onGone(then: () => void): () => void;
  /** bytes of the body that have come so far */
  received(): number;
  /** Ends the body early: reading on from it fails with this. */
  endBody(error: GitsteadError): void;
};

export type PutRequest = {
  /** undefined: it cannot go away, and nobody can forbid it */
  sender?: Sender | undefined;
  type: string;
  /** read to its end, or given up when the write is refused */
  body: BodySource;
  /** bytes, as the request says; undefined: chunked */
  length: number | undefined;
  precondition: Precondition;
  author: Author;
  /** undefined: no quota */
  quotaBytes: number | undefined;
};

export type DeleteRequest = Pick<PutRequest, 'sender' | 'precondition' | 'author'>;

/** A folder description, with the folder's bare ETag. */
export type Listing = { etag: string; body: Buffer };

/**
 * A document's bytes: of a short one a string, a character (0 to 255, 'latin1') for each byte, as it is kept and as a socket
 * takes it at the least cost; of a long one a stream to be iterated once.
 */
export type Body = string | Buffer | ByteStream;

/** A part of a document's bytes, both ends included. */
export type ByteRange = { start: number; end: number };

export interface Storage extends AsyncDisposable {
  /**
   * A promise only where something is to be waited for: what is known costs no turn of the event loop.
   * @throws not-ready while the repository is recovering or unreadable: undefined is only ever "no such document"
   */
  document(path: DocumentPath): DocumentInfo | undefined | Promise<DocumentInfo | undefined>;
  /** The bytes of the version that `info` names, whatever was written since. */
  body(path: DocumentPath, info: DocumentInfo, range?: ByteRange): Body;
  /** The folder's ETag, bare; of an empty one git's empty tree. A promise only where something is to be waited for. */
  folderTag(path: FolderPath): string | Promise<string>;
  /** The folder description of draft section 4, as JSON. A promise only where something is to be waited for. */
  listing(path: FolderPath): Listing | Promise<Listing>;
  /**
   * @throws too-large, over-quota, bad-path (escaped names too long), disk-full, not-ready; bad-request when the
   * body breaks off or has another length than said, or the sender goes away while the write waits for memory; and what
   * the sender's `confirm` throws. Nothing of it is seen then.
   */
  put(path: DocumentPath, request: PutRequest): Promise<WriteResult>;
  delete(path: DocumentPath, request: DeleteRequest): Promise<WriteResult>;
  usage(user: UserName): { bytes: number; documents: number };
  modules(user: UserName): { module: string; documents: number; bytes: number }[];
  /** Waits until the pending commits are packs and refs: before anything reads through git. */
  drain(user?: UserName, module?: string): Promise<void>;
  /** The bare repository on disk, undefined when there is none. */
  repositoryFolder(user: UserName, module: string): string | undefined;
  /** Every repository on disk, of one user or of all. */
  repositories(user?: UserName): { user: UserName; module: string; folder: string }[];
  /** Makes the index rows anew from the repositories, of one user or of all. */
  reindex(user?: UserName): Promise<{ repositories: number; documents: number }>;
  /** Takes a user's repositories and rows away for good. */
  removeUser(user: UserName): Promise<void>;
}
