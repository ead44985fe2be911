import { create } from "@bufbuild/protobuf";
import { systemClock } from "@sotto/clock";
import { type Checkpoint, signCheckpoint } from "@sotto/identity";
import { parseDeviceId, parseRoomId, parseUserId, toHex } from "@sotto/protocol";
import { DirectoryHeadSchema } from "@sotto/protocol/content";
import { expect, test } from "vitest";
import { newSigner, randomBytes, TestPerson } from "../../../../libs/identity/test/person.ts";
import { FakeDirectory } from "../../test/fake-directory.ts";
import { allChecks } from "../checks.ts";
import { SottoClientError } from "../errors.ts";
import { MemoryStore } from "../ports/memory-store.ts";
import { DirectoryReplica } from "./directory-replica.ts";
import { HeadGossip } from "./head-gossip.ts";

const by = {
  user: parseUserId("01".repeat(16)),
  device: parseDeviceId("02".repeat(16)),
  room: parseRoomId("03".repeat(16)),
};

async function world() {
  const server = await FakeDirectory.start();
  for (const name of ["a", "b", "c", "d"])
    server.records.push(await (await TestPerson.named(name)).create());
  const replica = await DirectoryReplica.open({
    store: new MemoryStore(),
    checks: allChecks,
    serverKeySha256: server.serverKeySha256,
    now: () => 7,
  });
  await replica.sync(server);
  const notices: string[] = [];
  let asked = 0;
  const gossip = new HeadGossip({
    replica,
    online: async () => {
      asked++;
      return server;
    },
    notice: (_room, text) => notices.push(text),
    clock: systemClock,
    signal: new AbortController().signal,
  });
  const hear = async (head: Checkpoint) => {
    const said = create(DirectoryHeadSchema, { ...head, size: BigInt(head.size) });
    gossip.hear(said, by);
    await gossip.idle();
  };
  const loggedIn = async () => {
    gossip.wake();
    await gossip.idle();
  };
  return { server, replica, notices, hear, loggedIn, asked: () => asked };
}

test("a head of this very directory, or of its past, is agreed with and asks nobody", async () => {
  const { server, replica, hear, asked, notices } = await world();
  await hear(await server.head());
  await hear(await server.head(server.records.slice(0, 2)));
  await hear({ ...(await server.head()), signature: new Uint8Array() });
  expect(replica.trust.standing).toBe("good");
  expect(asked()).toBe(0);
  expect(notices).toEqual([]);
});

test("a larger head is caught up with", async () => {
  const { server, replica, hear } = await world();
  server.records = [...server.records, await (await TestPerson.named("e")).create()];
  await hear(await server.head());
  expect(replica.size).toBe(5);
  expect(replica.trust.standing).toBe("good");
});

test("another root under the server's signature is a fork, whoever brings it", async () => {
  for (const size of [4, 2]) {
    const { server, replica, hear } = await world();
    const others = server.records.with(size - 1, await (await TestPerson.named("eve")).create());
    const shown = await server.head(others.slice(0, size));
    await hear(shown);
    expect(replica.trust.standing).toBe("fork");
    // Both heads bear the server's signature, also where they are of two sizes.
    const { signature } = await server.head();
    expect(replica.trust.fault).toMatchObject({
      kind: "fork",
      by,
      ours: { size: 4, signature: toHex(signature) },
      expected: toHex(await replica.directory.root(size)),
      shown: { size, signature: toHex(shown.signature) },
    });
    expect(replica.refusal()).toMatchObject({ code: "DIRECTORY_FORK" });
  }
});

test("a larger head whose records end in another directory is a fork", async () => {
  const { server, replica, hear } = await world();
  const honest = server.records;
  const other = [...honest, await (await TestPerson.named("eve")).create()];
  const shown = await server.head(other);
  server.records = [...honest, await (await TestPerson.named("e")).create()];
  await hear(shown);
  expect(replica.trust.fault).toMatchObject({ kind: "fork", by, shown: { size: 5 } });
});

test("a signed head whose records the server does not give stops sending, until it gives them", async () => {
  const { server, replica, hear } = await world();
  const more = [...server.records, await (await TestPerson.named("e")).create()];
  server.takesBack = false;
  await hear(await server.head(more));
  expect(replica.trust.standing).toBe("withheld");
  expect(replica.refusal()).toMatchObject({ code: "DIRECTORY_WITHHELD" });
  server.records = more;
  await replica.sync(server);
  expect(replica.trust.standing).toBe("good");
});

const cut = () => {
  throw new SottoClientError("NOT_REACHABLE", "the connection was cut");
};

test("a connection that breaks at the question proves nothing: it is asked again after the next login", async () => {
  const { server, replica, hear, loggedIn } = await world();
  server.records = [...server.records, await (await TestPerson.named("e")).create()];
  server.onAsked = cut;
  await hear(await server.head());
  expect(replica.trust.standing).toBe("good");
  server.onAsked = () => {};
  await loggedIn();
  expect(replica.size).toBe(5);
  expect(replica.trust.standing).toBe("good");
});

test("a server that breaks it at every question holds back", async () => {
  const { server, replica, hear, loggedIn } = await world();
  const more = [...server.records, await (await TestPerson.named("e")).create()];
  const head = await server.head(more);
  server.onAsked = cut;
  await hear(head);
  await loggedIn();
  expect(replica.trust.standing).toBe("good");
  await loggedIn();
  expect(replica.trust.standing).toBe("withheld");
});

test("breaks that a login made good do not add up", async () => {
  const { server, replica, hear, loggedIn } = await world();
  for (const name of ["e", "f", "g", "h"]) {
    server.records = [...server.records, await (await TestPerson.named(name)).create()];
    server.onAsked = cut;
    await hear(await server.head());
    server.onAsked = () => {};
    await replica.sync(server);
    await loggedIn();
  }
  expect(replica.size).toBe(8);
  expect(replica.trust.standing).toBe("good");
});

test("a head without the server's signature proves nothing: it is told of, once for each device, and stops nobody", async () => {
  const { server, replica, hear, notices } = await world();
  const liar = await newSigner();
  const root = randomBytes(32);
  for (const head of [
    await signCheckpoint({ size: 4, root }, server.origin, liar),
    { size: 3, root, signature: new Uint8Array() },
    { size: 1_000_000, root, signature: randomBytes(64) },
  ])
    await hear(head);
  expect(replica.trust.standing).toBe("good");
  expect(notices).toHaveLength(1);
});
