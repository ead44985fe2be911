import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { invitePage } from "../services/tcp-edge/src/listener/invite-page.ts";

const root = join(import.meta.dirname, "..");

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "sotto-launchers-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true, maxRetries: 20 }));
  return path;
}

test.each(["sotto", "sotto-admin"])("%s runs from any folder, and asks no npm", (name) => {
  const elsewhere = folder();
  for (const program of ["npm", "npx"])
    writeFileSync(join(elsewhere, program), "#!/bin/sh\nexit 9\n", { mode: 0o755 });
  symlinkSync(join(root, name), join(elsewhere, `my-${name}`));
  const path = [elsewhere, dirname(process.execPath), "/usr/bin", "/bin"].join(delimiter);
  for (const program of [join(root, name), join(elsewhere, `my-${name}`)]) {
    const { status, stdout } = spawnSync(program, ["--help"], {
      cwd: elsewhere,
      encoding: "utf8",
      env: { ...process.env, PATH: path },
    });
    expect(status).toBe(0);
    expect(stdout).toContain(`Usage: ${name} `);
  }
});

test("nobody is told to call Sotto in a way that may ask a registry for it", () => {
  const told = [
    "README.md",
    "docs/operating.md",
    "clients/sdk/README.md",
    "infra/embedded/src/announcement.ts",
    "infra/embedded/src/options.ts",
    "infra/admin/src/commands/invites.ts",
  ].map((path) => readFileSync(join(root, path), "utf8"));
  for (const text of [...told, invitePage]) expect(text).not.toMatch(/npx (-\S+ )*sotto/);
  expect(invitePage).toContain("./sotto join");
});

test("config check says what it has judged", () => {
  const checked = spawnSync(join(root, "sotto-admin"), ["config", "check"], { encoding: "utf8" });
  expect(checked).toMatchObject({ status: 0 });
  expect(checked.stdout).toContain("not flags of npm start");
});
