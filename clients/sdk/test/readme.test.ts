import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tlsTransport } from "@sotto/sdk/node";
import { expect, test } from "vitest";
import { texts, until, World } from "../../../tests/scenarios/world.ts";

test("the README's bot runs as it stands there, as a program", async () => {
  const readme = await readFile(join(import.meta.dirname, "..", "README.md"), "utf8");
  const code = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  // Beside this test, so that it finds the packages; Node itself strips its types.
  const file = join(import.meta.dirname, `readme-example-${process.pid}.ts`);
  await writeFile(file, code);
  const folder = await mkdtemp(join(tmpdir(), "sotto-bot-"));
  let bot: ChildProcess | undefined;
  try {
    await using world = await World.start(tlsTransport, "x-wing");
    const [alice] = await world.people("alice");
    const { invite } = await alice.client.invite();
    const node = [process.execPath, "--disable-warning=ExperimentalWarning", file] as const;
    const [program, ...args] = [...node, folder, invite];
    bot = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    bot.stdout?.on("data", (chunk) => {
      said += chunk;
    });
    const ended = once(bot, "exit");
    await until("the bot is in", () => alice.client.rooms.members("general").length === 2, 40_000);
    await alice.client.send("general", "ping");
    await until("it answers", async () => (await texts(alice)).includes("pong"), 40_000);
    await until("it says so", () => /^answered alice at \d+\n$/.test(said));
    bot.kill("SIGINT");
    expect(await ended).toEqual([0, null]);
    expect(await texts(alice)).toEqual(["ping", "pong"]);
  } finally {
    bot?.kill("SIGKILL");
    await rm(file, { force: true });
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);
