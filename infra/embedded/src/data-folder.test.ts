import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StartError } from "@sotto/chassis";
import { expect, test } from "vitest";
import { openDataFolder } from "./data-folder.ts";

async function folder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), "sotto-data-"));
}

test("a data folder is made with those above it, and is for one server at a time", async () => {
  const root = await folder();
  const path = join(root, "a", "b");
  const opened = await openDataFolder(path);
  await expect(openDataFolder(path)).rejects.toThrow(/another Sotto server/);
  await opened[Symbol.asyncDispose]();
  await (await openDataFolder(path))[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

test("a folder that cannot be written is one clear line, also where the system refuses in odd ways", async () => {
  const root = await folder();
  await writeFile(join(root, "file"), "");
  for (const path of [join(root, "file"), join(root, "file", "x"), "/proc/sotto", "/dev/null/x"]) {
    await expect(openDataFolder(path), path).rejects.toBeInstanceOf(StartError);
  }
  await rm(root, { recursive: true });
});

test("a folder of a newer version, or whose marker is damaged, is refused", async () => {
  const root = await folder();
  await writeFile(join(root, "sotto.json"), '{"sotto":99}');
  await expect(openDataFolder(root)).rejects.toThrow(/newer Sotto/);
  await writeFile(join(root, "sotto.json"), "nonsense");
  await expect(openDataFolder(root)).rejects.toThrow(/damaged/);
  await rm(root, { recursive: true });
});
