// The Content-Type of a document: kept and given back byte for byte, so all that is judged is whether it is a
// media type (RFC 9110, section 8.3) that fits a header and a line of a file.
import { GitsteadError } from '../errors.ts';

export const MAX_TYPE_BYTES = 1024;

/** Of bytes about which nothing is known. */
export const DEFAULT_TYPE = 'application/octet-stream';

/** Type and subtype are tokens; what parameters look like is between the clients. */
const MEDIA_TYPE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+\/[!#$%&'*+.^_`|~0-9A-Za-z-]+ *(?:;[ -~\x80-\xff]*)?$/;

/** True when `value` (a header's bytes as Latin-1) can be kept as a document's type. */
export function isContentType(value: string): boolean {
  return value.length <= MAX_TYPE_BYTES && MEDIA_TYPE.test(value);
}

/**
 * The type of a PUT, unchanged. Apps send an empty one for files of a kind that the browser does not know, and
 * simple clients send none: such bytes are of no known type (RFC 9110, section 8.3).
 * @param value the header's bytes as Latin-1, as node:http gives them
 * @throws bad-request when it is no media type: the draft's section 4 leaves that to the server
 */
export function parseContentType(value: string | undefined): string {
  if (value === undefined || value === '') return DEFAULT_TYPE;
  if (value.length > MAX_TYPE_BYTES) {
    throw new GitsteadError('bad-request', `a Content-Type has at most ${MAX_TYPE_BYTES} bytes`);
  }
  if (!MEDIA_TYPE.test(value)) {
    throw new GitsteadError(
      'bad-request',
      'the Content-Type is no media type: it should look like text/plain',
    );
  }
  return value;
}
