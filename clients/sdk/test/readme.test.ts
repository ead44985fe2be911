import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tlsTransport } from "@sotto/sdk/node";
import { expect, test } from "vitest";
import { texts, until, World } from "../../../tests/scenarios/world.ts";

test("the README's bot runs as it stands there", async () => {
  const readme = await readFile(join(import.meta.dirname, "..", "README.md"), "utf8");
  const code = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  // Beside this test, so that it finds the packages; Node itself strips its types.
  const file = join(import.meta.dirname, `readme-example-${process.pid}.ts`);
  await writeFile(file, code);
  const folder = await mkdtemp(join(tmpdir(), "sotto-bot-"));
  const stop = new AbortController();
  try {
    const { pingBot } = (await import(/* @vite-ignore */ file)) as {
      pingBot(folder: string, invite: string, signal: AbortSignal): Promise<void>;
    };
    await using world = await World.start(tlsTransport, "x-wing");
    const [alice] = await world.people("alice");
    const { invite } = await alice.client.invite();
    const running = pingBot(folder, invite, stop.signal);
    running.catch(() => {});
    await until("the bot is in", () => alice.client.rooms.members("general").length === 2, 20_000);
    await alice.client.send("general", "ping");
    await until("it answers", async () => (await texts(alice)).includes("pong"), 20_000);
    stop.abort();
    await running;
    expect(await texts(alice)).toEqual(["ping", "pong"]);
  } finally {
    stop.abort();
    await rm(file, { force: true });
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);
