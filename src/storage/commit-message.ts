// What a commit's message says: the subject names the request, trailers name the app and the permission.
//
//   PUT a/b.txt
//
//   App: https://notes.example
//   Grant: notes:rw

export type CommitMessage = {
  /** `PUT`, `DELETE`, or another word that begins a subject of ours */
  kind: string;
  /** within the repository, decoded names joined by '/' */
  path: string;
  app: string | undefined;
  grant: string | undefined;
};

/**
 * Control characters, and what would read as another line or turn text around, as `\u00XX`; the backslash too where it
 * would read as such an escape.
 */
function escapeControls(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]|\\(?=u[0-9a-f]{4})/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

export function formatCommitMessage(message: CommitMessage): string {
  const subject = `${message.kind} ${escapeControls(message.path)}\n`;
  const trailers = [
    message.app === undefined ? '' : `App: ${escapeControls(message.app)}\n`,
    message.grant === undefined ? '' : `Grant: ${escapeControls(message.grant)}\n`,
  ].join('');
  return trailers === '' ? subject : `${subject}\n${trailers}`;
}

/** The parts of a message of ours; undefined when the message is somebody else's (a push). */
export function parseCommitMessage(text: string): CommitMessage | undefined {
  const subject = /^([A-Z]+) (.*)$/m.exec(text.slice(0, lineEnd(text)));
  if (!subject) return undefined;
  const trailer = (name: string) => {
    const value = new RegExp(`^${name}: (.*)$`, 'm').exec(text.slice(lineEnd(text)))?.[1];
    return value === undefined ? undefined : unescapeControls(value);
  };
  const path = unescapeControls(subject[2]!);
  return { kind: subject[1]!, path, app: trailer('App'), grant: trailer('Grant') };
}

function unescapeControls(text: string): string {
  return text.replace(/\\u([0-9a-f]{4})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));
}

function lineEnd(text: string): number {
  const end = text.indexOf('\n');
  return end === -1 ? text.length : end;
}
