import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DOCS, generatedPages } from './docs.ts';

for (const [name, text] of Object.entries(generatedPages())) {
  test(`docs/${name} is what the code says (npm run docs makes it anew)`, () => {
    assert.equal(readFileSync(join(DOCS, name), 'utf8'), text);
  });
}
