import { checkpointNote, type RecordChange, signCheckpoint, signLogKey } from "@sotto/identity";
import { fromHex, toHex } from "@sotto/protocol";
import { expect, test } from "vitest";
import {
  newDevice,
  newSigner,
  randomBytes,
  TestPerson,
} from "../../../../libs/identity/test/person.ts";
import { FakeDirectory } from "../../test/fake-directory.ts";
import { allChecks, type Checks } from "../checks.ts";
import { SottoClientError } from "../errors.ts";
import { MemoryStore } from "../ports/memory-store.ts";
import { DirectoryReplica } from "./directory-replica.ts";
import { owedHead, owedHeadChange } from "./owed-head.ts";

const fork = expect.objectContaining({ name: "SottoClientError", code: "DIRECTORY_FORK" });

async function records(count: number): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for (let at = 0; at < count; at++) all.push(await (await TestPerson.named(`p${at}`)).create());
  return all;
}

async function world(count = 5, checks: Partial<Checks> = {}) {
  const server = await FakeDirectory.start();
  server.records = await records(count);
  const store = new MemoryStore();
  const { serverKeySha256 } = server;
  const open = () =>
    DirectoryReplica.open({
      store,
      checks: { ...allChecks, ...checks },
      serverKeySha256,
      now: () => 7,
    });
  return { server, store, open, replica: await open() };
}

const add = async (server: FakeDirectory, name: string) => {
  const record = await (await TestPerson.named(name)).create();
  server.records = [...server.records, record];
  return record;
};

test("the copy grows page by page, its head is signed, and both are there after a restart", async () => {
  const { server, open, replica } = await world(7);
  server.pageRecords = 3;
  await replica.sync(server);
  for (const known of [replica, await open()]) {
    expect(known.size).toBe(7);
    expect(known.trust.standing).toBe("good");
    expect(known.trust.head).toEqual(await server.head());
    expect(known.trust.logKey).toEqual(server.logKey.publicKey);
    expect(known.refusal()).toBeUndefined();
  }
});

test("what another look at the directory meets, as the end of its connection, concerns no other one", async () => {
  const { server, replica } = await world(3);
  server.onAsked = () => {
    server.onAsked = () => {};
    throw new SottoClientError("NOT_REACHABLE", "the connection ended");
  };
  const [cutOff, behind] = await Promise.allSettled([replica.sync(server), replica.sync(server)]);
  expect(cutOff).toMatchObject({ status: "rejected", reason: { code: "NOT_REACHABLE" } });
  expect(behind).toMatchObject({ status: "fulfilled" });
  expect(replica.size).toBe(3);
});

test("a device is put in another's place by the paper, and by nobody else", async () => {
  for (const by of ["paper", "phone"] as const) {
    const { server, replica } = await world(0);
    const alice = await TestPerson.named("alice");
    const devices = { paper: await newDevice(), phone: await newDevice() };
    server.records = [
      await alice.create(),
      await alice.recovery(devices.paper),
      await alice.add(devices.phone),
    ];
    await replica.sync(server);
    const record = await alice.add(await newDevice(), devices[by], alice.first.id);
    server.records = [...server.records, record];
    // The server cannot sign over what breaks the rules: it is refused before its word is looked at.
    server.signsNothing = true;
    const synced = replica.sync(server);
    if (by === "phone") await expect(synced).rejects.toEqual(fork);
    else await synced.catch(() => {});
    const gone = replica.directory.device(alice.first.id)?.revokedAt;
    expect(gone).toBe(by === "paper" ? 3 : undefined);
  }
});

test("what a checkpoint says is true, or nothing is sent any more, now and after a restart", async () => {
  const other = await newSigner();
  const lies: ((server: FakeDirectory) => Promise<void> | void)[] = [
    // Another directory of the same size.
    async (server) => {
      server.signed = [
        ...server.records.slice(0, -1),
        await (await TestPerson.named("eve")).create(),
      ];
    },
    // A smaller one that is no part of it.
    async (server) => {
      server.signed = [await (await TestPerson.named("eve")).create()];
    },
    (server) => {
      server.tamper = { note: randomBytes(200) };
    },
    async (server) => {
      const note = await checkpointNote(
        await signCheckpoint(await server.head(), server.origin, other),
        server.origin,
        other.publicKey,
      );
      server.tamper = { note };
    },
    (server) => {
      server.tamper = { logKey: other.publicKey };
    },
    async (server) => {
      server.tamper = { logKeyProof: await signLogKey(other.publicKey, server.identityKey) };
    },
  ];
  for (const [at, lie] of lies.entries()) {
    const { server, open, replica } = await world();
    await lie(server);
    const notices: string[] = [];
    replica.trust.onNotice = (text) => notices.push(text);
    await expect(replica.sync(server), String(at)).rejects.toEqual(fork);
    expect(notices).toHaveLength(1);
    const again = await open();
    for (const known of [replica, again]) {
      expect(known.trust.standing).toBe("fork");
      expect(known.refusal()).toEqual(fork);
      expect(known.trust.fault?.at).toBe(7);
    }
    server.tamper = {};
    server.signed = undefined;
    await again.sync(server);
    expect(again.refusal(), "a fork is not forgotten").toEqual(fork);
  }
});

test("the log key is pinned: another one that the server vouches for is not taken", async () => {
  const { server, replica } = await world();
  await replica.sync(server);
  const other = await newSigner();
  const head = await signCheckpoint(await server.head(), server.origin, other);
  server.tamper = {
    note: await checkpointNote(head, server.origin, other.publicKey),
    logKey: other.publicKey,
    logKeyProof: await signLogKey(other.publicKey, server.identityKey),
  };
  await expect(replica.sync(server)).rejects.toEqual(fork);
  expect(replica.trust.fault).toMatchObject({ kind: "log-key" });
});

test("of two directories of one size both heads are kept", async () => {
  const { server, replica } = await world(4);
  await replica.sync(server);
  const ours = await server.head();
  server.signed = [...server.records.slice(0, 3), await (await TestPerson.named("eve")).create()];
  await expect(replica.sync(server)).rejects.toEqual(fork);
  const shown = await server.head();
  expect(replica.trust.fault).toMatchObject({
    kind: "fork",
    ours: { size: 4, root: toHex(ours.root), signature: toHex(ours.signature) },
    expected: toHex(ours.root),
    shown: { size: 4, root: toHex(shown.root), signature: toHex(shown.signature) },
  });
});

test("a record that breaks the rules is not taken in, and those before it are", async () => {
  const { server, open, replica } = await world(5);
  const bad = server.records[3]?.slice() ?? new Uint8Array();
  bad[bad.length - 5] = bad[bad.length - 5] === 65 ? 66 : 65;
  server.signed = server.records;
  server.records = server.records.with(3, bad);
  await expect(replica.sync(server)).rejects.toEqual(fork);
  expect(replica.size).toBe(3);
  expect((await open()).trust.fault).toMatchObject({
    kind: "bad-record",
    index: 3,
    bytes: toHex(bad),
  });
});

test("a record that was altered since it was seen is found out, the last one at once, others by chance", async () => {
  for (const at of [4, 1]) {
    const { server, replica } = await world(5);
    await replica.sync(server);
    server.signed = server.records;
    server.records = server.records.with(at, await (await TestPerson.named("eve")).create());
    await replica.logIn(server, 5, () => 0.99);
    expect(replica.trust.fault).toMatchObject({ kind: "altered-record", index: at });
  }
  const { server, replica } = await world(200);
  await replica.sync(server);
  server.signed = server.records;
  server.records = server.records.with(0, await (await TestPerson.named("eve")).create());
  for (const random of [0.99, 0.5, 0.25]) await replica.logIn(server, 200, () => random);
  expect(replica.trust.standing).toBe("good");
  await replica.logIn(server, 200, () => 0.1);
  expect(replica.trust.fault).toMatchObject({ kind: "altered-record", index: 0 });
});

test("the signature is asked for at every login, also where nothing is new", async () => {
  const { server, replica } = await world(5);
  await replica.sync(server);
  server.signed = server.records.with(4, await (await TestPerson.named("eve")).create());
  await replica.logIn(server, 5, () => 0);
  expect(replica.trust.fault).toMatchObject({ kind: "fork", shown: { size: 5 } });
});

test("a server that signs nothing is not followed, and what it altered is found all the same", async () => {
  const { server, replica } = await world(5);
  await replica.sync(server);
  server.signsNothing = true;
  await expect(replica.logIn(server, 5, () => 0)).rejects.toMatchObject({
    code: "SERVER_MISBEHAVED",
  });
  expect(replica.trust.standing).toBe("good");
  server.records = server.records.with(2, await (await TestPerson.named("eve")).create());
  await replica.logIn(server, 5, () => 0);
  expect(replica.trust.fault).toMatchObject({ kind: "altered-record", index: 2 });
});

test("a server that says itself that its store was altered is compared with every record that is here", async () => {
  const { server, replica } = await world(200);
  await replica.sync(server);
  server.records = server.records.with(10, await (await TestPerson.named("eve")).create());
  server.signed = (await replica.records(0, 200)).slice();
  const last = () => 0.999;
  await replica.logIn(server, 200, last);
  expect(replica.trust.fault).toBeUndefined();
  server.altered = true;
  await replica.logIn(server, 200, last);
  expect(replica.trust.fault).toMatchObject({ kind: "altered-record", index: 10 });
});

test("a server that does not let this device in is asked for its chain, with a note of its own, and nothing else", async () => {
  const { server, replica } = await world(2);
  const own = await TestPerson.named("own");
  server.records.push(await own.create());
  const asked: unknown[] = [];
  server.onAsked = ({ value }) => asked.push(value);
  // Nothing is known of what it signed: there is no note to ask with.
  expect(await replica.notLetIn(server, own.first.id)).toBeUndefined();
  expect(asked).toEqual([]);
  await replica.sync(server);
  asked.length = 0;
  // It shows what stood there: whatever its reason is, its directory is the one that is known.
  expect(await replica.notLetIn(server, own.first.id)).toBeUndefined();
  expect(asked).toEqual([{ from: 2n, limit: 1, note: await replica.note() }]);
  server.records = server.records.with(2, await (await TestPerson.named("eve")).create());
  expect(await replica.notLetIn(server, own.first.id)).toEqual(fork);
  expect(replica.trust.fault).toMatchObject({ kind: "altered-record", index: 2 });
});

test("a server that has less is handed back what it lacks, before anybody logs in, and no alarm is raised", async () => {
  const { server, replica } = await world(6);
  await replica.sync(server);
  const all = server.records;
  server.records = all.slice(0, 2);
  server.behind = true;
  const hello = { directorySize: 2n } as Parameters<typeof replica.greeted>[1];
  expect(await replica.greeted(server, hello)).toBe(true);
  expect(server.records).toEqual(all);
  await replica.sync(server);
  expect(replica.trust.standing).toBe("good");
  expect(await replica.greeted(server, { ...hello, directorySize: 6n })).toBe(false);
});

test("a server that does not know that it has less is handed it back after the login", async () => {
  const { server, replica } = await world(6);
  await replica.sync(server);
  const all = server.records;
  server.records = all.slice(0, 3);
  await replica.sync(server);
  expect(server.records).toEqual(all);
  expect(replica.trust.standing).toBe("good");
});

test("a server that has less and does not take it back is behind, which is no reason not to send", async () => {
  const { server, replica } = await world(6);
  await replica.sync(server);
  server.records = server.records.slice(0, 3);
  server.takesBack = false;
  server.behind = true;
  await replica.sync(server);
  expect(replica.trust.standing).toBe("behind");
  expect(replica.refusal()).toBeUndefined();
  await expect(replica.sync(server, 7)).rejects.toMatchObject({ code: "SERVER_MISBEHAVED" });
});

test("a restored server that lacks nothing is told so", async () => {
  const { server, replica } = await world(6);
  await replica.sync(server);
  server.behind = true;
  await replica.sync(server);
  expect(server.behind).toBe(false);
  expect(replica.trust.standing).toBe("good");
});

test("records that are signed for and not given stop sending until they are there", async () => {
  const { server, open, replica } = await world(6);
  server.signed = server.records;
  server.records = server.records.slice(0, 4);
  await replica.sync(server);
  for (const known of [replica, await open()]) {
    expect(known.trust.standing).toBe("withheld");
    expect(known.refusal()).toMatchObject({ code: "DIRECTORY_WITHHELD" });
  }
  let settled = 0;
  replica.trust.onSettled = () => {
    settled++;
  };
  server.records = server.signed;
  await replica.sync(server);
  expect(settled).toBe(1);
  for (const known of [replica, await open()]) {
    expect(known.trust.standing).toBe("good");
    expect(known.refusal()).toBeUndefined();
  }
});

test("a directory that grows between its records and their signature is read on", async () => {
  const { server, replica } = await world(4);
  const before = server.records;
  const late = await (await TestPerson.named("late")).create();
  server.signed = [...before, late];
  let asked = 0;
  server.onAsked = () => {
    if (++asked === 2) server.records = [...before, late];
  };
  await replica.sync(server);
  expect(replica.size).toBe(5);
  expect(replica.trust.standing).toBe("good");
});

test("what is told of a record goes into its commit, once", async () => {
  const { server, open, replica } = await world(0);
  const alice = await TestPerson.named("alice");
  server.records = [await alice.create()];
  await replica.sync(server);
  const told: RecordChange[] = [];
  const announced: number[] = [];
  replica.tell = (changes) => {
    told.push(...changes);
    return [{ table: "meta", key: "told", value: Uint8Array.of(told.length) }];
  };
  replica.onGrown((changes) => announced.push(changes.length));
  server.records = [...server.records, await alice.add(await newDevice())];
  await replica.sync(server);
  await replica.sync(server);
  expect(told.map(({ change }) => change)).toEqual(["device-added"]);
  expect(announced).toEqual([1]);
  expect((await open()).size).toBe(2);
});

test("with a check off, what it refuses passes", async () => {
  const { server, replica } = await world(5, { checkpoint: false });
  server.signed = [await (await TestPerson.named("eve")).create()];
  await replica.sync(server);
  expect(replica.trust.standing).toBe("good");
  await add(server, "late");
  await replica.sync(server);
  expect(replica.size).toBe(6);
});

test("the head that another own device vouched for is met, or nothing is sent", async () => {
  const { server, store, open } = await world(4);
  const linked = await server.head();
  await store.commit([owedHeadChange(linked)]);
  const all = server.records;
  server.records = all.slice(0, 3);
  const short = await open();
  await short.logIn(server, 3, () => 0);
  expect(short.refusal()).toMatchObject({
    code: "DIRECTORY_WITHHELD",
    message: expect.stringContaining("your other device has 4 and gives 3"),
  });
  server.records = all;
  const later = await open();
  expect(later.refusal()).toMatchObject({ code: "DIRECTORY_WITHHELD" });
  await later.logIn(server, 4, () => 0);
  expect(later.refusal()).toBeUndefined();
  expect(await owedHead(store)).toBeUndefined();
});

test("a server that shows a linked device another directory is found out at its first login", async () => {
  const { server, store, open } = await world(4);
  await store.commit([owedHeadChange(await server.head([...server.records].reverse()))]);
  const replica = await open();
  await replica.logIn(server, 4, () => 0);
  for (const known of [replica, await open()]) expect(known.refusal()).toEqual(fork);
  expect(await owedHead(store), "it stays owed").toBeDefined();
});

test("a newcomer demands the directory that the one who invited them was shown, and their place in it", async () => {
  const { server, store, open } = await world(0);
  const [alice, eve] = [await TestPerson.named("alice"), await TestPerson.named("eve")];
  server.records = [await alice.create(), await eve.create()];
  const head = await server.head();
  const invited = {
    ...head,
    inviter: { user: alice.user, chainHead: fromHex(alice.place().prev) },
  };
  await store.commit([owedHeadChange(invited)]);
  expect(await owedHead(store)).toMatchObject({ size: 2, inviter: invited.inviter });
  const all = server.records;
  server.records = all.slice(0, 1);
  const short = await open();
  await short.logIn(server, 1, () => 0);
  expect(short.refusal()).toMatchObject({
    code: "DIRECTORY_WITHHELD",
    message: expect.stringContaining("whoever invited you has 2 and gives 1"),
  });
  server.records = all;
  const good = await open();
  await good.logIn(server, 2, () => 0);
  expect(good.refusal()).toBeUndefined();

  const late = await alice.add(await newDevice());
  server.records = [...all, late];
  const wrong = [
    { user: eve.user, chainHead: invited.inviter.chainHead },
    { user: alice.user, chainHead: randomBytes(32) },
    // It stands, but later than the head.
    { user: alice.user, chainHead: fromHex(alice.place().prev) },
  ];
  for (const inviter of wrong) {
    const other = new MemoryStore();
    await other.commit([owedHeadChange({ ...head, inviter })]);
    const { serverKeySha256 } = server;
    const now = () => 7;
    const replica = await DirectoryReplica.open({
      ...{ store: other, checks: allChecks, serverKeySha256, now },
    });
    await replica.logIn(server, 3, () => 0);
    expect(replica.refusal()).toMatchObject({
      code: "DIRECTORY_FORK",
      message: expect.stringContaining("whoever invited you"),
    });
  }
});
