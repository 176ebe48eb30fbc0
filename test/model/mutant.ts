// Compiled modules of busbar with one planted fault each, to prove that a test can fail.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

let mutants = 0;

/**
 * Imports a copy of a module of src/shared in which `from` stands as `to`. The copy lies in `folder`, and sees the same
 * neighbours as the original.
 *
 * @throws when the module does not hold `from` exactly once: then the mutant is to be written anew
 */
export async function importMutant<T>(folder: string, module: string, from: string, to: string): Promise<T> {
  const original = new URL(`../../src/shared/${module}.js`, import.meta.url);
  const text = readFileSync(fileURLToPath(original), 'utf8');
  const parts = text.split(from);
  if (parts.length !== 2) throw new Error(`src/shared/${module}.ts holds ${parts.length - 1} times: ${from}`);
  const mutated = parts.join(to).replace(/from '\.\//g, `from '${new URL('./', original).href}`);
  const file = join(folder, `${module}-${mutants++}.mjs`);
  writeFileSync(file, mutated);
  return (await import(pathToFileURL(file).href)) as T;
}
