import type { RunFile } from './run-file.ts';
export function drawPlots(_run: RunFile): string[] {
  return [];
}
