import { spawn } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const root = join(import.meta.dirname, "..");

/** Runs the first start of a clone with `npm` as its npm; answers the exit code and the temporary files that it left. */
async function bootstrap(npm: string) {
  const folder = await mkdtemp(join(tmpdir(), "sotto-bootstrap-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const temporary = join(folder, "tmp");
  for (const name of ["scripts", "node_modules", "tmp"]) await mkdir(join(folder, name));
  await copyFile(join(root, "scripts", "bootstrap.mjs"), join(folder, "scripts", "bootstrap.mjs"));
  await writeFile(join(folder, "package-lock.json"), "{}");
  const program = join(folder, "npm.js");
  await writeFile(program, npm);
  const child = spawn(process.execPath, [join(folder, "scripts", "bootstrap.mjs")], {
    stdio: "ignore",
    env: { ...process.env, TMPDIR: temporary, npm_execpath: program },
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  const left = (await readdir(temporary)).filter((name) => name.startsWith("sotto-"));
  return { code, left };
}

test("an installation leaves nothing behind; one that fails leaves what npm said", async () => {
  expect(await bootstrap("")).toEqual({ code: 0, left: [] });
  expect(await bootstrap("console.error('no'); process.exit(1)")).toEqual({
    code: 1,
    left: [expect.stringMatching(/^sotto-install-/)],
  });
});
