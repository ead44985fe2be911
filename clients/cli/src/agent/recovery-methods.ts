import { recover as recoverDevice } from "@sotto/sdk";
import { tlsTransport } from "@sotto/sdk/node";
import { deviceNameOf } from "./device-name.ts";
import type { Method } from "./methods.ts";
import { optionalText, text } from "./params.ts";
import { arrived } from "./people-methods.ts";

/** Sets a new recovery phrase; its words are in the answer and nowhere else. */
export const recovery: Method = async (profile, params, { item }) => {
  const client = await profile.client();
  await client.people.refresh();
  const desk = client.devices.recovery;
  const replacing = optionalText(params, "replacing");
  const stays = replacing === undefined && (await desk.state()) !== "none";
  // An empty text is no phrase, and is refused as one: it must not leave the old one good unseen.
  const phrase = await desk.create(replacing === undefined ? {} : { replacing });
  if (stays) {
    const text =
      "your earlier recovery phrase stays good beside the new one; recovery --replace takes it out";
    await item({ type: "notice", text });
  }
  return { phrase };
};

/** The person has the words: all of them are given, or the command has asked for some. */
export const confirmRecovery: Method = async (profile, params) => {
  const client = await profile.client();
  const phrase = optionalText(params, "phrase");
  const desk = client.devices.recovery;
  if (phrase === undefined) await desk.confirmed();
  else {
    await client.people.refresh(5_000).catch(() => {});
    await desk.confirm(phrase);
  }
  return { recovery: await desk.state() };
};

/** Makes this profile a new device of the person of a phrase, in all of their rooms. */
export const recover: Method = async (profile, params, { signal }) => {
  await profile.newcomer((store) =>
    recoverDevice({
      server: text(params, "server"),
      phrase: text(params, "phrase"),
      deviceName: deviceNameOf(params),
      keepDevices: params["keepDevices"] === true,
      store,
      transport: tlsTransport,
      signal,
    }),
  );
  const self = await arrived(profile, signal);
  const client = await profile.client();
  return { ...self, revoked: await client.devices.revokeLost() };
};
