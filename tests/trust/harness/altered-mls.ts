import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

type TsMls = typeof import("ts-mls");

/**
 * A copy of the MLS library with what a removed member would alter in theirs: it goes on where it sees itself
 * removed. With `pathless` also as it was before 1.6.4, where a commit that removes one member brings no new keys.
 */
export async function alteredMls({ pathless }: { readonly pathless: boolean }): Promise<TsMls> {
  const require = createRequire(import.meta.url);
  const original = dirname(require.resolve("ts-mls"));
  // Beside the packages that it imports itself.
  const cache = join(import.meta.dirname, "..", "..", "..", "node_modules", ".cache");
  await mkdir(cache, { recursive: true });
  const copy = await mkdtemp(join(cache, "sotto-altered-mls-"));
  try {
    await cp(original, copy, { recursive: true });
    await writeFile(join(copy, "package.json"), `{"type":"module"}`);
    await alter(join(copy, "processMessages.js"), "if (result.selfRemoved) {", "if (false) {");
    if (pathless) {
      const line = "Object.values(grouped.remove).length >";
      await alter(join(copy, "clientState.js"), `${line} 0`, `${line} 1`);
    }
    // Not by import: vitest would transform all of it first.
    return require(join(copy, "index.js")) as TsMls;
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

async function alter(path: string, line: string, by: string): Promise<void> {
  const source = await readFile(path, "utf8");
  if (!source.includes(line)) throw new Error(`the MLS library has no line ${line} any more`);
  await writeFile(path, source.replace(line, by));
}
