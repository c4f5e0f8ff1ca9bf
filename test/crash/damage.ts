// Damage to files, as failing disks and people do it.
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';

/** Changes bytes in the middle of a file, whatever its permissions. */
export function damageFile(path: string, { at = 0.5, bytes = 8 } = {}): void {
  const content = readFileSync(path);
  const start = Math.floor((content.length - bytes) * at);
  for (let i = start; i < start + bytes; i++) content[i]! ^= 0xa5;
  chmodSync(path, 0o600);
  writeFileSync(path, content);
}
