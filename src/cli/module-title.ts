// How commands name a module: `@root` stands for the documents directly in a user's root.
import { ROOT_MODULE } from '../protocol/paths.ts';

export function moduleTitle(module: string): string {
  return module === ROOT_MODULE ? '@root' : module;
}
