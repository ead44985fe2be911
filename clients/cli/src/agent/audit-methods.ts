import type { PersonKeys } from "@sotto/sdk";
import type { Method } from "./methods.ts";
import { optionalText, text } from "./params.ts";

export const audit: Method = async (profile, _params, { item }) => {
  const client = await profile.client();
  return await client.directory.audit((done, total) => void item({ done, total }));
};

export const keys: Method = async (profile, params) => {
  const client = await profile.client();
  return shown(await client.people.keys(text(params, "user")));
};

export const verify: Method = async (profile, params) => {
  const client = await profile.client();
  const user = text(params, "user");
  const number = optionalText(params, "number");
  const found =
    number === undefined
      ? await client.people.keys(user)
      : await client.people.verify(user, number);
  const { safetyNumber, verified, identityChanged } = shown(found);
  return {
    user: found.name,
    userId: found.user,
    safetyNumber,
    verified,
    ...(identityChanged ? { identityChanged } : {}),
  };
};

/** Keys with names for people; the ids stay beside them. */
function shown({ user, name, verified, ...rest }: PersonKeys) {
  return {
    user: name,
    userId: user,
    ...rest,
    verified: verified === "yes",
    ...(verified === "changed" ? { identityChanged: true } : {}),
  };
}
