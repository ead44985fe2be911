import { parseRecord } from "@sotto/identity";
import {
  isUnfinished,
  join,
  joinByLink,
  type ProfileStore,
  recover,
  SottoClient,
} from "@sotto/sdk";
import { tlsTransport } from "@sotto/sdk/node";
import { expect, test } from "vitest";
import { type RequestBody, Wire } from "../trust/harness/wire.ts";
import { LastingStore } from "./company.ts";
import { type Joined, texts, until, World } from "./world.ts";

/** When the connection ends: before the server has the request, or after it did what was asked and before it says so. */
const moments = ["before it is stored", "after it was stored"] as const;
type Moment = (typeof moments)[number];

/** A network that breaks at the first request that `breaks` names, and is whole after that. */
function breaking(moment: Moment, breaks: (body: RequestBody) => boolean) {
  let broke = false;
  const now = (body: RequestBody | undefined) => {
    if (broke || body === undefined || !breaks(body)) return false;
    broke = true;
    return true;
  };
  const transport = new Wire({
    request: (body, line) => {
      if (moment !== "before it is stored" || !now(body)) return undefined;
      line.close();
      return "lost";
    },
    response: (_, asked, line) => {
      if (moment !== "after it was stored" || !now(asked)) return undefined;
      line.close();
      return new Promise(() => {});
    },
  });
  return { transport, broke: () => broke };
}

/** Ids of all devices of a person that were ever added, as somebody else's directory has them. */
async function devicesOf(witness: Joined, name: string): Promise<string[]> {
  await witness.client.people.refresh();
  const rows = await witness.store.scan("directory", { limit: 1000 });
  const records = rows.map(({ value }) => parseRecord(value).record);
  const person = records.find((record) => record.typ === "user-create" && record.name === name);
  return records.flatMap((record) => {
    const adds = record.typ === "user-create" || record.typ === "device-add";
    return adds && record.user === person?.user ? [record.device.id] : [];
  });
}

test.each(moments)("an account whose answer was lost %s is one account", async (moment) => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  const { invite } = await alice.client.invite();
  const store = new LastingStore();
  const { transport, broke } = breaking(moment, ({ case: what }) => what === "register");
  const again = () => join({ invite, name: "bob", store, transport, suite: "classical" });
  await expect(again()).rejects.toMatchObject({ code: "NOT_REACHABLE" });
  expect(broke() && (await isUnfinished(store))).toBe(true);
  const profile = await again();
  expect(await isUnfinished(store)).toBe(false);
  expect(await devicesOf(alice, "bob")).toEqual([profile.device]);
  const bob = await world.open("bob", store);
  await bob.client.rooms.waitFor("general", 10_000);
  await bob.client.send("general", "here I am");
  await until("alice reads it", async () => (await texts(alice)).includes("here I am"));
  await expect(again()).rejects.toMatchObject({ code: "PROFILE_EXISTS" });
});

test("a client that logs in ends what was begun, and one that may not says what to do", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  for (const moment of moments) {
    const { invite } = await alice.client.invite();
    const store = new LastingStore();
    const { transport } = breaking(moment, ({ case: what }) => what === "register");
    const name = moment.split(" ")[0];
    await expect(join({ invite, name: name ?? "", store, transport })).rejects.toThrow();
    await using client = await SottoClient.open({ store, transport });
    if (moment === "before it is stored") {
      await expect(client.online()).rejects.toMatchObject({
        code: "UNFINISHED",
        message: expect.stringContaining("sotto join"),
      });
      expect(await isUnfinished(store)).toBe(true);
    } else {
      await client.online();
      expect(await isUnfinished(store)).toBe(false);
    }
  }
});

test("who may not come by the first invite begins anew in the same place", async () => {
  await using world = await World.start();
  const [alice] = await world.people("alice");
  const first = await alice.client.invite();
  const store = new LastingStore();
  const { transport } = breaking("before it is stored", ({ case: what }) => what === "register");
  const by = (invite: string, name: string) =>
    join({ invite, name, store, transport, suite: "classical" });
  await expect(by(first.invite, "bob")).rejects.toMatchObject({ code: "NOT_REACHABLE" });
  await world.arrive("carol", first.invite);
  await expect(by(first.invite, "bob")).rejects.toMatchObject({ message: /used/ });
  const { name } = await by((await alice.client.invite()).invite, "robert");
  expect(name).toBe("robert");
});

test.each(moments)("a recovery whose answer was lost %s is one device", async (moment) => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  await alice.client.send("general", "to be kept");
  await until("bob reads it", async () => (await texts(bob)).includes("to be kept"));
  const phrase = await bob.client.devices.recovery.create();
  await bob.client.archive.flush();
  await bob.client[Symbol.asyncDispose]();
  const store = new LastingStore();
  const { transport, broke } = breaking(moment, ({ case: what }) => what === "submitRecord");
  const { port } = world.server.announced.listening;
  const again = () =>
    recover({ server: `127.0.0.1:${port}`, phrase, deviceName: "new machine", store, transport });
  await expect(again()).rejects.toMatchObject({ code: "NOT_REACHABLE" });
  expect(broke()).toBe(true);
  // Its archive is not handed over: it would be a device without a past.
  await expect(SottoClient.open({ store, transport })).rejects.toMatchObject({
    code: "UNFINISHED",
    message: expect.stringContaining("sotto recover"),
  });
  const profile = await again();
  expect(await isUnfinished(store)).toBe(false);
  expect(await devicesOf(alice, "bob")).toEqual([bob.client.profile.device, profile.device]);
  const back = await world.open("back", store);
  await until("it has its history", async () => (await texts(back)).includes("to be kept"));
  await until("the lost one is out", async () =>
    (await back.client.devices.list()).some(({ revoked }) => revoked),
  );
});

test.each(moments)("a link whose word was lost %s is one device", async (moment) => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  const store = new LastingStore();
  const gone = new AbortController();
  const word = (body: RequestBody) => body.case === "putLink" && body.value.number === 2;
  const { transport, broke } = breaking(moment, word);
  const first = await alice.client.devices.link();
  const given = new AbortController();
  const complete = first.complete(given.signal).catch(() => undefined);
  const cutOff = linkBy(first.code, store, transport, gone.signal);
  await until("the word was lost", broke);
  gone.abort(new Error("switched off"));
  await expect(cutOff).rejects.toThrow();
  expect(await isUnfinished(store)).toBe(true);
  if (moment === "before it is stored") given.abort();
  await complete;
  const second = await alice.client.devices.link();
  const unused = new AbortController();
  const done = second.complete(unused.signal).catch(() => undefined);
  const profile = await linkBy(second.code, store, transport);
  unused.abort();
  await done;
  expect(profile).toMatchObject({ name: "alice", suite: "classical" });
  expect(await isUnfinished(store)).toBe(false);
  expect(await devicesOf(bob, "alice")).toEqual([alice.client.profile.device, profile.device]);
  const phone = await world.open("phone", store);
  await phone.client.rooms.waitFor("general", 15_000);
});

test("keys that were offered once are offered again, and no second device comes late", async () => {
  await using world = await World.start();
  const [alice, bob] = await world.people("alice", "bob");
  const store = new LastingStore();
  // The old device loses its connection just before it submits, and submits when it is back.
  const held = Promise.withResolvers<void>();
  let offered = false;
  const slow = new Wire();
  const laptop = await second(world, alice, slow);
  slow.tampering = {
    response: (body, asked) => {
      if (asked?.case !== "getLink" || asked.value.number !== 2) return undefined;
      // Not before the new one's word is there: it would be waited for, and never come.
      if (body.case !== "linkMessage" || body.value.sealed.length === 0) return undefined;
      offered = true;
      return held.promise.then(() => body);
    },
  };
  const first = await laptop.client.devices.link();
  const late = first.complete(new AbortController().signal).catch((error: unknown) => error);
  const gone = new AbortController();
  const cutOff = linkBy(first.code, store, tlsTransport, gone.signal).catch(() => undefined);
  await until("its keys are offered", async () => offered && (await isUnfinished(store)));
  gone.abort(new Error("switched off"));
  await cutOff;
  const next = await alice.client.devices.link();
  const [, profile] = await Promise.all([
    next.complete(new AbortController().signal),
    linkBy(next.code, store, tlsTransport),
  ]);
  held.resolve();
  await expect(late).resolves.toBeInstanceOf(Error);
  expect(await devicesOf(bob, "alice")).toEqual([
    alice.client.profile.device,
    laptop.client.profile.device,
    profile.device,
  ]);
});

async function linkBy(
  code: string,
  store: ProfileStore,
  transport: Wire | typeof tlsTransport,
  signal?: AbortSignal,
) {
  const end = signal ? { signal } : {};
  return await joinByLink({ code, deviceName: "phone", store, transport, ...end });
}

/** A further device of a person, which speaks through `transport`. */
async function second(world: World, by: Joined, transport: Wire): Promise<Joined> {
  const store = new LastingStore();
  const link = await by.client.devices.link();
  const done = link.complete(new AbortController().signal);
  await joinByLink({ code: link.code, deviceName: "laptop", store, transport });
  await done;
  return await world.open("laptop", store, { transport });
}
