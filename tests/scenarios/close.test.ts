import {
  Archive,
  DevicesDesk,
  DirectoryDesk,
  MediaLibrary,
  type MediaSource,
  People,
  RecoveryDesk,
  RoomDesk,
  SottoClient,
  SottoClientError,
} from "@sotto/sdk";
import { expect, test } from "vitest";
import { Wire } from "../trust/harness/wire.ts";
import { type Joined, texts, until, World } from "./world.ts";

const longMs = 60_000;
const forever = new AbortController().signal;
const source: MediaSource = {
  name: "film.mp4",
  bytes: 3,
  mime: "video/mp4",
  fingerprint: "film",
  async *read() {
    yield new Uint8Array([1, 2, 3]);
  },
};

/** What is true of a client where these are asked for. */
interface Given {
  readonly client: SottoClient;
  /** An object that was shared. */
  readonly object: string;
}

/** Everything public that waits, and a call of it that waits for the server. */
const waits: Readonly<Record<string, (given: Given) => Promise<unknown>>> = {
  "SottoClient.online": ({ client }) => client.online(longMs),
  "SottoClient.reached": ({ client }) => client.reached(longMs),
  "SottoClient.ready": ({ client }) => client.ready(longMs),
  "SottoClient.send": ({ client }) => client.send("general", "hello"),
  "SottoClient.invite": ({ client }) => client.invite(),
  "SottoClient.history": ({ client }) => drained(client.history({ follow: true })),
  "SottoClient.live": ({ client }) => drained(client.live()),
  "SottoClient.presenceKnown": ({ client }) => client.presenceKnown(longMs),
  "SottoClient.setQuiet": ({ client }) => client.setQuiet(true),
  "SottoClient.setPresence": ({ client }) => client.setPresence("idle"),
  "SottoClient.typing": ({ client }) => client.typing("general"),
  "RoomDesk.waitFor": ({ client }) => client.rooms.waitFor("nowhere", longMs),
  "RoomDesk.create": ({ client }) => client.rooms.create("plans"),
  "RoomDesk.setHistory": ({ client }) => client.rooms.setHistory("general", "none"),
  "RoomDesk.add": ({ client }) => client.rooms.add("general", "bob"),
  "RoomDesk.remove": ({ client }) => client.rooms.remove("general", "bob"),
  "RoomDesk.renew": ({ client }) => client.rooms.renew("general"),
  "RoomDesk.send": ({ client }) => client.rooms.send("@bob", "hello"),
  "RoomDesk.target": ({ client }) => client.rooms.target("@bob"),
  "People.keys": ({ client }) => client.people.keys("bob"),
  "People.verify": ({ client }) => client.people.verify("bob", "0"),
  "People.refresh": ({ client }) => client.people.refresh(longMs),
  "DevicesDesk.list": ({ client }) => client.devices.list(),
  "DevicesDesk.tellAlerts": ({ client }) => client.devices.tellAlerts(async () => {}),
  "DevicesDesk.find": ({ client }) => client.devices.find("laptop"),
  "DevicesDesk.link": ({ client }) => client.devices.link(),
  "DevicesDesk.revoke": ({ client }) =>
    client.devices.revoke(client.profile.device, { evenThisOne: true }),
  "DevicesDesk.revokeLost": ({ client }) => client.devices.revokeLost(),
  "RecoveryDesk.state": ({ client }) => client.devices.recovery.state(),
  "RecoveryDesk.create": ({ client }) => client.devices.recovery.create(),
  "RecoveryDesk.confirm": ({ client }) => client.devices.recovery.confirm("words"),
  "RecoveryDesk.confirmed": ({ client }) => client.devices.recovery.confirmed(),
  "DirectoryDesk.view": ({ client }) => client.directory.view(),
  "DirectoryDesk.audit": ({ client }) => client.directory.audit(),
  "MediaLibrary.share": ({ client }) => client.media.share("general", source),
  "MediaLibrary.list": ({ client }) => client.media.list(),
  "MediaLibrary.open": async ({ client, object }) => {
    const media = await client.media.open(object);
    await drained(media.read(0, media.bytes));
  },
  "MediaLibrary.delete": ({ client, object }) => client.media.delete(object),
  "Archive.catchUp": ({ client }) => client.archive.catchUp(),
  "Archive.flush": ({ client }) => client.archive.flush(),
  "Archive.grantDevice": ({ client }) => client.archive.grantDevice(client.profile.device),
};

/** These ask nobody: they may be there before the client is closed. */
const local = [
  "SottoClient.setQuiet",
  "SottoClient.presenceKnown",
  "DevicesDesk.list",
  "DevicesDesk.tellAlerts",
  "DevicesDesk.find",
  "DevicesDesk.revokeLost",
  "RecoveryDesk.state",
  "RecoveryDesk.confirm",
  "RecoveryDesk.confirmed",
  "DirectoryDesk.view",
  "MediaLibrary.list",
];
/** So are these, where there is a connection. */
const connected = ["SottoClient.online", "SottoClient.reached", "SottoClient.ready"];
/** These end without an error, as what follows them does when nothing more comes. */
const streams = ["SottoClient.history", "SottoClient.live"];

async function drained(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}

type Outcome = "pending" | "done" | string;

/** What became of promises, by their names. */
function watched(given: Given): { outcomes: Map<string, Outcome>; all: Promise<unknown> } {
  const outcomes = new Map<string, Outcome>();
  const all = Object.entries(waits).map(async ([name, call]) => {
    outcomes.set(name, "pending");
    try {
      await call(given);
      outcomes.set(name, "done");
    } catch (error) {
      outcomes.set(name, error instanceof SottoClientError ? error.code : String(error));
    }
  });
  return { outcomes, all: Promise.all(all) };
}

const classes = [
  SottoClient,
  RoomDesk,
  People,
  DevicesDesk,
  RecoveryDesk,
  DirectoryDesk,
  MediaLibrary,
  Archive,
];

test("the table names everything public of a client that is asynchronous", () => {
  const names = classes.flatMap(({ name, prototype }) =>
    Object.entries(Object.getOwnPropertyDescriptors(prototype) as PropertyDescriptorMap)
      .filter(([, { value }]) => /^Async/.test(value?.constructor.name ?? ""))
      .map(([method]) => `${name}.${method}`),
  );
  expect(names.sort()).toEqual(Object.keys(waits).sort());
});

/** Alice, with bob in the room, something shared, and a store that outlives her clients. */
async function alone(world: World, wire: Wire): Promise<Given & { alice: Joined }> {
  const alice = await world.person("alice", { transport: wire });
  await world.person("bob");
  await until("both are in", () => alice.client.rooms.members("general").length === 2);
  const { object } = await alice.client.media.share("general", source);
  return { alice, client: alice.client, object };
}

test.each(["answers nothing any more", "is away"])(
  "when a client is closed whose server %s, nothing waits any longer, and what was to be sent goes out at the next start",
  async (how) => {
    await using world = await World.start();
    const wire = new Wire();
    const { alice, ...given } = await alone(world, wire);
    if (how === "is away") await world.stopServer();
    else wire.tampering = { request: () => "lost" };
    await until("it is noticed", async () => how !== "is away" || wire.lines.size === 0);
    const { outcomes, all } = watched(given);
    const unsent = Promise.allSettled(
      ["one", "two"].map((text) => given.client.send("general", text)),
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    const mayBeDone = how === "is away" ? local : [...local, ...connected];
    const others = [...outcomes].filter(([name]) => !mayBeDone.includes(name));
    expect(others.filter(([, outcome]) => outcome !== "pending")).toEqual([]);
    await alice[Symbol.asyncDispose]();
    await all;
    for (const [name] of others)
      expect(outcomes.get(name), name).toBe(streams.includes(name) ? "done" : "CLOSED");
    expect([...outcomes].filter(([, outcome]) => outcome === "pending")).toEqual([]);
    const closed = { status: "rejected", reason: { code: "CLOSED" } };
    expect(await unsent).toMatchObject([closed, closed]);
    // Whoever calls it now hears the same.
    const late = watched(given);
    await late.all;
    for (const name of ["SottoClient.send", "SottoClient.online", "MediaLibrary.list"])
      expect(late.outcomes.get(name), name).toBe("CLOSED");
    expect([...late.outcomes].filter(([, outcome]) => outcome === "pending")).toEqual([]);

    wire.tampering = {};
    if (how === "is away") await world.startServer();
    const back = await world.open("alice", alice.store, { transport: wire });
    await back.client.send("general", "last");
    await until("all is sent", async () => (await texts(back)).includes("last"));
    expect((await texts(back)).toSorted()).toEqual(["hello", "last", "one", "two"]);
  },
);

test("a link that waits for its device ends when its client is closed", async () => {
  await using world = await World.start();
  const alice = await world.person("alice");
  const link = await alice.client.devices.link();
  const waiting = link.complete(forever);
  waiting.catch(() => {});
  await alice[Symbol.asyncDispose]();
  await expect(waiting).rejects.toMatchObject({ code: "CLOSED" });
});
