import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { join as joinServer, type MemoryStore, SottoClient } from "@sotto/sdk";
import { nodeMlsEngine, nodeSealCrypto, tlsTransport } from "@sotto/sdk/node";
import { expect, test } from "vitest";
import { startServer } from "../../infra/demo/server.ts";
import { LastingStore } from "./company.ts";

const sends = 2000;
const inFlight = 100;

test("a server killed in the middle of 2,000 sends loses none that it acknowledged, and doubles none", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sotto-kill-"));
  const data = join(folder, "data");
  let server = await startServer(data, 0);
  const port = Number(server.address.split(":").at(-1));
  const open = (store: MemoryStore) =>
    SottoClient.open({
      store,
      transport: tlsTransport,
      sealCrypto: nodeSealCrypto,
      mlsEngine: nodeMlsEngine,
      keyPackagesTarget: 5,
    });
  const enter = async (invite: string, name: string) => {
    const store = new LastingStore();
    await joinServer({ invite, name, store, transport: tlsTransport });
    const client = await open(store);
    await client.online();
    await client.rooms.waitFor("general", 15_000);
    return { store, client };
  };
  try {
    const alice = await enter(server.ownerInvite ?? "", "alice");
    const { invite } = await alice.client.invite();
    const bob = await enter(invite, "bob");
    await bob.client[Symbol.asyncDispose]();

    const acknowledged: { text: string; sequence: number }[] = [];
    let next = 0;
    let restarted: Promise<void> | undefined;
    const restart = async () => {
      await server.kill();
      server = await startServer(data, port);
    };
    const sender = async () => {
      while (next < sends) {
        const text = `message ${next++}`;
        const { sequence } = await alice.client.send("general", text);
        acknowledged.push({ text, sequence });
        if (acknowledged.length === sends / 2) restarted = restart();
      }
    };
    await Promise.all(Array.from({ length: inFlight }, sender));
    await restarted;
    expect(acknowledged).toHaveLength(sends);

    const back = await open(bob.store);
    await back.ready(60_000);
    const heard: { text: string; sequence: number }[] = [];
    for await (const entry of back.history()) if (entry.type === "message") heard.push(entry);
    expect(heard.map(({ sequence }) => sequence)).toEqual(
      [...heard.map(({ sequence }) => sequence)].sort((a, b) => a - b),
    );
    const wanted = [...acknowledged]
      .sort((a, b) => a.sequence - b.sequence)
      .map(({ text }) => text);
    expect(heard.map(({ text }) => text)).toEqual(wanted);
    await back[Symbol.asyncDispose]();
    await alice.client[Symbol.asyncDispose]();
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);
