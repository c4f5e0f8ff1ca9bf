// The whole table, in the order of the draft.
import { ACCESS } from './access.ts';
import { CLASHES } from './clashes.ts';
import type { Clause } from './clause.ts';
import { CONTENT_TYPES } from './content-types.ts';
import { CORS } from './cors.ts';
import { DOCUMENTS } from './documents.ts';
import { FOLDERS } from './folders.ts';
import { FRAMING } from './framing.ts';
import { NAMES } from './names.ts';
import { RANGES } from './ranges.ts';
import { VERSIONS } from './versions.ts';

export const CLAUSES: readonly Clause[] = [
  ...FOLDERS,
  ...DOCUMENTS,
  ...NAMES,
  ...CONTENT_TYPES,
  ...CLASHES,
  ...VERSIONS,
  ...RANGES,
  ...CORS,
  ...ACCESS,
  ...FRAMING,
];

export const titleOf = ({ section, requirement }: Clause): string => `${section}: ${requirement}`;
