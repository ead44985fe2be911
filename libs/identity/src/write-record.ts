import { type DeviceId, deviceCounterInput, type UserId } from "@sotto/protocol";
import { toBase64Url } from "./base64url.ts";
import { canonicalJson, type JsonValue } from "./canonical-json.ts";
import { sha256 } from "./digest.ts";
import type { Signer } from "./ed25519.ts";
import { recordType } from "./parse-record.ts";
import type { Arrival, DeviceDescription, ResetAllowance } from "./record.ts";

const encoder = new TextEncoder();

export interface UserCreateInput {
  readonly user: UserId;
  readonly name: string;
  /** Wall time, ms. */
  readonly at: number;
  readonly device: DeviceDescription;
  readonly invite: Arrival;
  /** The first device's signing key. */
  readonly signer: Signer;
}

/** The record that begins a user's chain. */
export async function createUserRecord(input: UserCreateInput): Promise<Uint8Array<ArrayBuffer>> {
  const payload = {
    v: 1,
    typ: "user-create",
    user: input.user,
    seq: 0,
    prev: "",
    iat: input.at,
    name: input.name,
    device: deviceJson(input.device),
    invite: arrivalJson(input.invite),
  };
  return await signRecord(payload, input.device.id, input.signer);
}

/** Where a record stands in its user's chain. */
export interface ChainPlace {
  readonly user: UserId;
  readonly seq: number;
  readonly prev: string;
  readonly at: number;
}

/**
 * The record that adds a device; the new device signs that it accepts. By a recovery key it may be in the place of
 * another one: where there are as many as there may be.
 */
export async function addDeviceRecord(
  place: ChainPlace,
  device: DeviceDescription,
  newDevice: Signer,
  by: { readonly device: DeviceId; readonly signer: Signer },
  replaces?: DeviceId,
): Promise<Uint8Array<ArrayBuffer>> {
  const typ = replaces === undefined ? { typ: "device-add" } : { typ: "device-add", replaces };
  return await counterSigned(typ, place, device, newDevice, by);
}

/** The record that sets a recovery key; the key signs that it belongs to the chain. */
export async function recoverySetRecord(
  place: ChainPlace,
  recovery: DeviceDescription,
  recoveryKey: Signer,
  by: { readonly device: DeviceId; readonly signer: Signer },
): Promise<Uint8Array<ArrayBuffer>> {
  return await counterSigned({ typ: "recovery-set" }, place, recovery, recoveryKey, by);
}

async function counterSigned(
  what: { readonly [key: string]: JsonValue },
  place: ChainPlace,
  device: DeviceDescription,
  newcomer: Signer,
  by: { readonly device: DeviceId; readonly signer: Signer },
): Promise<Uint8Array<ArrayBuffer>> {
  const payload = { ...placeJson(place), ...what, device: deviceJson(device) };
  const accepted = await newcomer.sign(
    deviceCounterInput(await sha256(encoder.encode(canonicalJson(payload)))),
  );
  return await signRecord({ ...payload, counter: toBase64Url(accepted) }, by.device, by.signer);
}

export interface IdentityResetInput {
  readonly place: ChainPlace;
  /** The new first device. */
  readonly device: DeviceDescription;
  /** Its signing key. */
  readonly signer: Signer;
  readonly invite: Arrival;
  readonly allowed: ResetAllowance;
}

/** The record with which an identity begins anew: everything before it in the chain is revoked. */
export async function identityResetRecord(
  input: IdentityResetInput,
): Promise<Uint8Array<ArrayBuffer>> {
  const { device, expires, signature } = input.allowed;
  const payload = {
    ...placeJson(input.place),
    typ: "identity-reset",
    device: deviceJson(input.device),
    invite: arrivalJson(input.invite),
    allowed: { device, expires, signature: toBase64Url(signature) },
  };
  return await signRecord(payload, input.device.id, input.signer);
}

/** The record that revokes a device. */
export async function revokeDeviceRecord(
  place: ChainPlace,
  device: DeviceId,
  by: { readonly device: DeviceId; readonly signer: Signer },
): Promise<Uint8Array<ArrayBuffer>> {
  return await signRecord(
    { ...placeJson(place), typ: "device-revoke", device },
    by.device,
    by.signer,
  );
}

function arrivalJson({ key, proof }: Arrival) {
  return { key: toBase64Url(key), proof: toBase64Url(proof) };
}

function placeJson({ user, seq, prev, at }: ChainPlace) {
  return { v: 1, user, seq, prev, iat: at };
}

/** A device as it stands in a record. */
export function deviceJson(device: DeviceDescription): { readonly [key: string]: JsonValue } {
  return {
    id: device.id,
    name: device.name,
    auth: toBase64Url(device.auth),
    sign: toBase64Url(device.sign),
    mls: toBase64Url(device.mls),
    seal: toBase64Url(device.seal),
  };
}

async function signRecord(
  payload: JsonValue,
  kid: DeviceId,
  signer: Signer,
): Promise<Uint8Array<ArrayBuffer>> {
  const header = canonicalJson({ alg: "EdDSA", kid, typ: recordType });
  const input = `${toBase64Url(encoder.encode(header))}.${toBase64Url(encoder.encode(canonicalJson(payload)))}`;
  const signature = await signer.sign(encoder.encode(input));
  return encoder.encode(`${input}.${toBase64Url(signature)}`);
}
