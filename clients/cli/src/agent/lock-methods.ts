import { SottoClientError } from "@sotto/sdk";
import type { Method } from "./methods.ts";
import { withSecret } from "./params.ts";

export const lockState: Method = async ({ vault }) => vault.state();

export const unlock: Method = async ({ vault }, params) => {
  await withSecret(params, "passphrase", (bytes) => vault.unlock(bytes));
  return vault.state();
};

/** The key goes with the process that holds it. */
export const lock: Method = async ({ vault }, _params, { stop }) => {
  const { passphrase } = vault.state();
  if (!passphrase)
    throw new SottoClientError("NO_PASSPHRASE", "this profile has no passphrase to lock it with");
  stop();
  return { passphrase, locked: true };
};

export const protect: Method = async ({ vault }, params) => {
  await withSecret(params, "passphrase", (bytes) => vault.protect(bytes));
  return vault.state();
};

export const passphraseSet: Method = async (profile, params) => {
  await profile.client();
  await withSecret(params, "passphrase", (bytes) => profile.vault.set(bytes));
  return profile.vault.state();
};

export const passphraseChange: Method = async ({ vault }, params) => {
  await withSecret(params, "passphrase", (bytes) =>
    withSecret(params, "next", async (next) => {
      await vault.unlock(bytes);
      await vault.change(bytes, next);
    }),
  );
  return vault.state();
};

export const passphraseRemove: Method = async ({ vault }, params) => {
  await withSecret(params, "passphrase", async (bytes) => {
    await vault.unlock(bytes);
    await vault.remove(bytes);
  });
  return vault.state();
};
