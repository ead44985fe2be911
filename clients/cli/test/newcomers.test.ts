import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Person } from "../../../infra/demo/person.ts";
import { type DemoServer, startServer } from "../../../infra/demo/server.ts";
import { onTerminal, terminal } from "./terminal.ts";

let folder: string;
let server: DemoServer;
let alice: Person;
let bob: Person;
const home = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sotto-newcomers-"));
  server = await startServer(join(folder, "server"), 0);
  alice = new Person("alice", home("alice"));
  bob = new Person("bob", home("bob"));
  await alice.one("join", server.ownerInvite ?? "", "--name", "alice");
  const { invite } = await alice.one("invite");
  await bob.one("join", String(invite), "--name", "bob");
}, 60_000);

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 300 });
});

test.skipIf(!terminal)("on a terminal, codes to scan are drawn whole", async () => {
  for (const command of [["verify", "bob"], ["invite"]]) {
    const shown = await onTerminal(home("alice"), ...command);
    expect(shown.match(/[▀▄█]/gu)?.length).toBeGreaterThan(200);
    expect(shown).not.toContain("�");
  }
});
