import { join as joinServer, type SottoClient } from "@sotto/sdk";
import { tlsTransport } from "@sotto/sdk/node";
import type { AgentProfile } from "./agent-profile.ts";
import { deviceNameOf } from "./device-name.ts";
import type { Method } from "./methods.ts";
import { optionalCount, optionalText, text, texts } from "./params.ts";

/** How long `join` waits for a member to let the newcomer in before it says what it waits for. */
const letInWaitMs = 8_000;
const pollMs = 50;

export const waitingForMember = "waiting for a member to come online";

function self(client: SottoClient) {
  const { name, user, device, server } = client.profile;
  return { user: name, userId: user, device, server: `${server.host}:${server.port}` };
}

export const join: Method = async (profile, params, { signal }) => {
  await profile.newcomer((store) =>
    joinServer({
      invite: text(params, "invite"),
      ...(params["name"] === undefined ? {} : { name: text(params, "name") }),
      deviceName: deviceNameOf(params),
      ...(params["suite"] === "classical" ? { suite: "classical" } : {}),
      store,
      transport: tlsTransport,
      signal,
    }),
  );
  return await arrived(profile, signal);
};

/** Who a new profile is, and the rooms that it was let into: waited for a little. */
export async function arrived(profile: AgentProfile, signal: AbortSignal) {
  const client = await profile.client();
  await client.online();
  // Who is shown a false directory at the first look lets nobody in, and is let in nowhere.
  if (client.directory.refusal) throw client.directory.refusal;
  const rooms = () =>
    client.rooms.list().filter(({ phase, name }) => phase === "active" && name !== "");
  const enough = () => rooms().length > 0 && rooms().length >= client.rooms.expected;
  for (let waited = 0; waited < letInWaitMs && !enough(); waited += pollMs) {
    await new Promise((resolve) => setTimeout(resolve, pollMs));
    signal.throwIfAborted();
  }
  const waiting = enough() ? {} : { waiting: waitingForMember };
  return { ...self(client), rooms: rooms().map(({ room, name }) => ({ room, name })), ...waiting };
}

/** What happened to the account, for whoever asks first. */
export async function tellAlerts(
  client: SottoClient,
  item: (value: unknown) => Promise<void>,
): Promise<void> {
  await client.devices.tellAlerts((text) => item({ type: "notice", text }));
}

export const whoami: Method = async (profile, _params, { item }) => {
  const client = await profile.client();
  const state = await client.online(2_000).then(
    () => "online",
    () => "offline",
  );
  await tellAlerts(client, item);
  const recovery = await client.devices.recovery.state();
  const directory = await client.directory.view();
  const { refusal, fault } = client.directory;
  return {
    ...self(client),
    connection: client.refusal ? "refused" : state,
    ...(client.refusal ? { refused: client.refusal.message } : {}),
    recovery,
    cannotOpen: client.cannotOpen,
    directory: {
      ...directory,
      ...(refusal ? { why: refusal.message } : {}),
      // The proof, to be shown to others.
      ...(fault ? { evidence: fault } : {}),
    },
  };
};

export const invite: Method = async (profile, params) => {
  const client = await profile.client();
  await client.online();
  const rooms = texts(params, "rooms");
  if (rooms.length === 0) await client.rooms.waitFor("general", 5_000).catch(() => {});
  const uses = optionalCount(params, "uses");
  const expiresInMs = optionalCount(params, "expiresInMs");
  const reset = optionalText(params, "reset");
  if (reset !== undefined) await client.people.refresh();
  const made = await client.invite({
    ...(reset === undefined ? {} : { reset }),
    ...(rooms.length > 0 ? { rooms } : {}),
    ...(uses !== undefined ? { uses } : {}),
    ...(expiresInMs !== undefined ? { expiresInMs } : {}),
  });
  return { invite: made.invite, link: made.link, expiresAt: made.expiresAt };
};
