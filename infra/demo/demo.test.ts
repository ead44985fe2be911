import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const main = join(import.meta.dirname, "main.ts");

interface Run {
  readonly child: ChildProcess;
  readonly folder: string;
  readonly ended: Promise<number | null>;
  shown(): string;
  complaint(): string;
  until(text: string): Promise<void>;
}

async function demo(...args: readonly string[]): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), "sotto-demo-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 20 }));
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TMPDIR: folder },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let [shown, complaint] = ["", ""];
  child.stdout.on("data", (chunk) => {
    shown += chunk;
  });
  child.stderr.on("data", (chunk) => {
    complaint += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const until = (text: string) =>
    new Promise<void>((resolve) => {
      const look = () => shown.includes(text) && resolve();
      child.stdout.on("data", look);
      look();
    });
  return { child, folder, ended, shown: () => shown, complaint: () => complaint, until };
}

/** Processes that have a folder in their command line. */
async function processesOf(folder: string): Promise<string[]> {
  const lines = (await readdir("/proc"))
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => readFile(join("/proc", pid, "cmdline"), "utf8").catch(() => ""));
  return (await Promise.all(lines)).filter((line) => line.includes(folder));
}

async function nothingLeft(folder: string): Promise<void> {
  await expect.poll(() => processesOf(folder), { timeout: 15_000, interval: 200 }).toEqual([]);
  expect((await readdir(folder)).filter((name) => name.startsWith("sotto-"))).toEqual([]);
}

test("--help explains, and plays nothing", async () => {
  const run = await demo("--help");
  expect(await run.ended).toBe(0);
  expect(run.shown()).toContain("Usage: npm run demo");
  await nothingLeft(run.folder);
  expect(await (await demo("--nonsense")).ended).toBe(2);
});

test.skipIf(process.platform !== "linux")(
  "Ctrl-C leaves neither a process nor a folder",
  async () => {
    const run = await demo();
    await run.until("2. Three people join");
    await expect.poll(() => processesOf(run.folder), { timeout: 20_000 }).not.toEqual([]);
    await run.until("alice took the owner's invite");
    run.child.kill("SIGINT");
    run.child.kill("SIGINT");
    expect(await run.ended).toBe(130);
    await nothingLeft(run.folder);
  },
  90_000,
);

test.skipIf(process.platform !== "linux")(
  "a reader who goes away ends it quietly, and nothing is left",
  async () => {
    const run = await demo();
    await run.until("listening on");
    run.child.stdout?.destroy();
    expect(await run.ended).toBe(0);
    expect(run.complaint()).toBe("");
    await nothingLeft(run.folder);
  },
  90_000,
);
