import { recover as recoverDevice } from "@sotto/sdk";
import { tlsTransport } from "@sotto/sdk/node";
import { deviceNameOf } from "./device-name.ts";
import type { Method } from "./methods.ts";
import { optionalText, text } from "./params.ts";
import { arrived } from "./people-methods.ts";

/** Sets a new recovery phrase; its words are in the answer and nowhere else. */
export const recovery: Method = async (profile, params) => {
  const client = await profile.client();
  await client.people.refresh();
  const replacing = optionalText(params, "replacing");
  const phrase = await client.devices.recovery.create(replacing ? { replacing } : {});
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
