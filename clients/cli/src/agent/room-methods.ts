import type { HistoryWord, NumberedEntry, SottoClient } from "@sotto/sdk";
import { SottoClientError } from "@sotto/sdk";
import { CommandError, ExitCode } from "../exit-code.ts";
import type { Method } from "./methods.ts";
import { optionalCount, optionalText, text } from "./params.ts";
import { tellAlerts, waitingForMember } from "./people-methods.ts";
import { readable } from "./readable.ts";

const defaultTimeoutMs = 30_000;
const enterWaitMs = 5_000;
const lostRooms =
  "the server does not know this device in the rooms that it was in; a member can add you again, or make a new room";

/** The room of that name; one that this device is just being let into is waited for. */
async function knownRoom(client: SottoClient, name: string): Promise<string> {
  if (name.startsWith("@")) return name;
  try {
    return (await client.rooms.waitFor(name, enterWaitMs)).room;
  } catch (error) {
    const nowhere = client.rooms.list().every(({ phase }) => phase !== "active");
    if (nowhere && error instanceof SottoClientError && error.code === "UNKNOWN_ROOM") {
      throw new CommandError(
        ExitCode.refused,
        "NOT_IN_ROOM",
        `${waitingForMember}: nobody has let this device in yet`,
      );
    }
    throw error;
  }
}

export const rooms: Method = async (profile, _params, context) => {
  const client = await profile.client();
  const fresh = await readable(client, context);
  const all = client.rooms.list();
  const list = all.filter(({ phase }) => phase !== "left");
  const inside = !fresh || list.some(({ phase }) => phase === "active");
  const isLost = list.length === 0 && all.some(({ unknownToServer }) => unknownToServer);
  const waiting = inside ? {} : { waiting: isLost ? lostRooms : waitingForMember };
  return {
    rooms: list.map(({ phase, unknownToServer: _, ...room }) => ({ ...room, state: phase })),
    ...waiting,
  };
};

export const members: Method = async (profile, params, context) => {
  const client = await profile.client();
  await readable(client, context);
  const room = await knownRoom(client, text(params, "room"));
  const { history } = client.rooms.find(room);
  return client.rooms
    .members(room)
    .map(({ user, name, ...rest }) => ({ user: name, userId: user, ...rest, history }));
};

export const roomCreate: Method = async (profile, params) => {
  const client = await profile.client();
  await client.ready();
  const { room, name, history } = await client.rooms.create(
    text(params, "name"),
    historyWord(optionalText(params, "history") ?? "all"),
  );
  return { room, name, history };
};

/** Shows a room's policy on history, or sets it where there is a word for it. */
export const roomPolicy: Method = async (profile, params, context) => {
  const client = await profile.client();
  const word = optionalText(params, "history");
  if (word === undefined) {
    await readable(client, context);
    const { room, history } = client.rooms.find(await knownRoom(client, text(params, "room")));
    return { room, history };
  }
  await client.ready();
  const room = await knownRoom(client, text(params, "room"));
  const history = historyWord(word);
  return { room, history, sequence: await client.rooms.setHistory(room, history) };
};

function historyWord(word: string): HistoryWord {
  if (word === "none" || word === "since-join" || word === "all") return word;
  throw new CommandError(
    ExitCode.usage,
    "USAGE",
    `history is none, since-join or all, not ${word}`,
  );
}

export const roomAdd: Method = async (profile, params) => {
  const client = await profile.client();
  await client.ready();
  const room = await knownRoom(client, text(params, "room"));
  const user = text(params, "user");
  const devices = () =>
    client.rooms.members(room).find(({ user: id }) => id === client.people.find(user))?.devices;
  await client.people.refresh();
  const before = devices();
  const sequence = await client.rooms.add(room, user);
  return { room, user, sequence, ...(before && before === devices() ? { already: true } : {}) };
};

export const roomRemove: Method = async (profile, params) => {
  const client = await profile.client();
  await client.ready();
  const room = await knownRoom(client, text(params, "room"));
  const user = text(params, "user");
  return { room, user, sequence: await client.rooms.remove(room, user) };
};

export const send: Method = async (profile, params, { signal, item }) => {
  const client = await profile.client();
  const timeoutMs = optionalCount(params, "timeoutMs") ?? defaultTimeoutMs;
  await client.online(timeoutMs, signal);
  const target = await knownRoom(client, text(params, "target"));
  const late = new SottoClientError(
    "NOT_REACHABLE",
    "the server did not confirm the message in time; if it was on its way it will be sent once, when the server is back",
  );
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(late), timeoutMs);
  try {
    await tellAlerts(client, item);
    return await client.send(
      target,
      text(params, "text"),
      AbortSignal.any([timeout.signal, signal]),
    );
  } finally {
    clearTimeout(timer);
  }
};

export const listen: Method = async (profile, params, context) => {
  const { item, signal } = context;
  const client = await profile.client();
  const after = optionalCount(params, "after");
  const name = optionalText(params, "room");
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  // Who only listens would never see why nothing can be sent, where that was found out before.
  let told = false;
  const tellUntrusted = async () => {
    const untrusted = client.directory.refusal;
    if (untrusted && !told) await item({ type: "notice", text: untrusted.message });
    told ||= untrusted !== undefined;
  };
  await tellUntrusted();
  // A device that is out for good shows what it has, and then says why nothing follows.
  const fresh = await readable(client, context).catch((error) => {
    if (!client.refusal) throw error;
    return true;
  });
  const follow = params["follow"] !== false && !client.refusal;
  await using _here = follow ? await profile.listening() : undefined;
  const room =
    name === undefined ? undefined : client.rooms.find(await knownRoom(client, name)).room;
  const filter = { ...(room ? { room } : {}), ...(after !== undefined ? { after } : {}) };
  await tellAlerts(client, item);
  if (follow && fresh) await snapshot(client, item);
  const live = client.live(either);
  await tellUntrusted();
  let following: Promise<void> | undefined;
  const hear = async () => {
    for await (const event of live) {
      if (event.type === "presence")
        await item({ ...event, user: client.people.name(event.user), userId: event.user });
      else if (event.type === "typing")
        await item({ ...event, user: client.people.name(event.user) });
      else if (event.type === "notice" && "kept" in event) {
        // What is of a room comes with its history.
        if (event.room === undefined) await tellAlerts(client, item);
      } else if (event.type === "connection" || event.type === "notice") await item(event);
      if (client.refusal) stop.abort(client.refusal);
    }
  };
  const caughtUp = async () => {
    await item({ type: "ready", ...(fresh ? {} : { offline: true }) });
    if (follow) following = hear();
  };
  try {
    for await (const entry of client.history({ ...filter, follow, caughtUp, signal: either })) {
      await item(show(client, entry));
    }
  } finally {
    stop.abort();
    await following;
  }
  if (client.refusal && !signal.aborted) throw client.refusal;
  return { ended: true };
};

/** Who is here, for everybody who shares a room. */
async function snapshot(
  client: SottoClient,
  item: (value: unknown) => Promise<void>,
): Promise<void> {
  await client.presenceKnown(2_000);
  const present = client.presence();
  const users = new Set(
    client.rooms
      .list()
      .flatMap(({ room, phase }) => (phase === "active" ? client.rooms.members(room) : []))
      .map(({ user }) => user),
  );
  for (const user of users) {
    await item({
      type: "presence",
      user: client.people.name(user),
      userId: user,
      state: present.get(user) ?? (user === client.profile.user ? "online" : "offline"),
    });
  }
}

/** An entry with names in place of ids; the ids stay beside them. */
function show(client: SottoClient, entry: NumberedEntry): unknown {
  const { order, ...rest } = entry;
  const roomName = client.rooms.nameOf(entry.room);
  const told = entry.toldBy
    ? { toldBy: client.people.name(entry.toldBy), toldById: entry.toldBy }
    : {};
  const base = { ...rest, ...told, roomName };
  if ("sender" in entry)
    return { ...base, sender: client.people.name(entry.sender), senderId: entry.sender };
  if (entry.type === "keys-changed") {
    const { user, by } = entry;
    return {
      ...base,
      user: client.people.name(user),
      userId: user,
      by: { ...by, user: client.people.name(by.user), userId: by.user },
    };
  }
  if (entry.type === "policy") return { ...base, by: client.people.name(entry.by) };
  if (entry.type === "membership") {
    return {
      ...base,
      users: entry.users.map((user) => client.people.name(user)),
      by: client.people.name(entry.by),
      ...(entry.devicesOf
        ? { devicesOf: entry.devicesOf.map((user) => client.people.name(user)) }
        : {}),
      ...(entry.disabled
        ? { disabled: entry.disabled.map((user) => client.people.name(user)) }
        : {}),
    };
  }
  return base;
}
