import { joinByLink } from "@sotto/sdk";
import { tlsTransport } from "@sotto/sdk/node";
import { deviceNameOf } from "./device-name.ts";
import type { Method } from "./methods.ts";
import { text } from "./params.ts";
import { arrived } from "./people-methods.ts";

/** Makes this profile a further device of the person who shows the code. */
export const joinLink: Method = async (profile, params, { signal }) => {
  await profile.newcomer((store) =>
    joinByLink({
      code: text(params, "code"),
      deviceName: deviceNameOf(params),
      store,
      transport: tlsTransport,
      signal,
    }),
  );
  return await arrived(profile, signal);
};

/** Shows a code, as an item, and waits for the new device. */
export const link: Method = async (profile, _params, { item, signal }) => {
  const client = await profile.client();
  await client.online();
  const begun = await client.devices.link();
  await item({ code: begun.code });
  const linked = await begun.complete(signal, ({ name }) => void item({ offer: name }));
  return { ...linked, user: client.profile.name };
};

export const devices: Method = async (profile) => {
  const client = await profile.client();
  // Where the server is away, what this device knows is shown.
  await client.people.refresh(5_000).catch(() => {});
  return await client.devices.list();
};

export const revokeDevice: Method = async (profile, params) => {
  const client = await profile.client();
  await client.people.refresh();
  return await client.devices.revoke(text(params, "device"), {
    evenThisOne: params["yes"] === true,
  });
};
