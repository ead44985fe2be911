import { randomBytes } from "node:crypto";
import { join as joinServer, type MediaSource, MemoryStore, SottoClient } from "@sotto/sdk";
import { nodeMlsEngine, nodeSealCrypto, tlsTransport } from "@sotto/sdk/node";
import { natsServer, redisServer, serverOrSkip } from "@sotto/testkit";
import { expect, test } from "vitest";
import { until } from "../scenarios/world.ts";
import { startProcesses } from "./processes.ts";

const nats = await serverOrSkip("NATS", () => natsServer({}));
const redis = await serverOrSkip("Redis", () => redisServer({}));

async function texts(client: SottoClient): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of client.history()) if (entry.type === "message") found.push(entry.text);
  return found;
}

function source(bytes: Buffer): MediaSource {
  return {
    name: "film.mp4",
    bytes: bytes.length,
    mime: "video/mp4",
    fingerprint: bytes.subarray(0, 16).toString("hex"),
    async *read(start) {
      yield bytes.subarray(start);
    },
  };
}

test.runIf(nats && redis)(
  "four processes on NATS and Redis are the same server, also after each of them was killed",
  async () => {
    await using processes = await startProcesses(nats?.url ?? "", redis?.url ?? "");
    const enter = async (invite: string, name: string) => {
      const store = new MemoryStore();
      await joinServer({ invite, name, store, transport: tlsTransport, suite: "classical" });
      const client = await SottoClient.open({
        store,
        transport: tlsTransport,
        sealCrypto: nodeSealCrypto,
        mlsEngine: nodeMlsEngine,
        keyPackagesTarget: 5,
      });
      await client.rooms.waitFor("general", 20_000);
      return client;
    };
    await using alice = await enter(processes.ownerInvite, "alice");
    await using bob = await enter((await alice.invite()).invite, "bob");
    await until("they see each other", () => alice.presence().get(bob.profile.user) === "online");

    const wanted: string[] = [];
    for (const service of ["keyserver", "presence", "media", "tcp-edge"]) {
      await alice.send("general", `before ${service}`);
      await processes.restart(service);
      await bob.send("general", `after ${service}`);
      wanted.push(`before ${service}`, `after ${service}`);
    }
    for (const client of [alice, bob]) {
      await until(
        "all is heard",
        async () => (await texts(client)).length === wanted.length,
        20_000,
      );
      expect(await texts(client)).toEqual(wanted);
    }
    const film = randomBytes(2_500_000);
    const { object } = await alice.media.share("general", source(film));
    await until("bob knows it", async () => (await bob.media.list()).length === 1);
    const media = await bob.media.open(object);
    const parts: Uint8Array[] = [];
    for await (const part of media.read(1_000_000, 1_200_000)) parts.push(part);
    expect(Buffer.concat(parts).equals(film.subarray(1_000_000, 1_200_000))).toBe(true);
    await until(
      "they see each other again",
      () => alice.presence().get(bob.profile.user) === "online",
      20_000,
    );
    await nats?.[Symbol.asyncDispose]();
    await redis?.[Symbol.asyncDispose]();
  },
  120_000,
);
