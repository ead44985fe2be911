import { foldName, parseDeviceId, parseUserId } from "@sotto/protocol";
import { fromBase64Url, toBase64Url } from "./base64url.ts";
import type { DirectoryDevice, DirectoryUser } from "./directory.ts";
import type { MerklePeak } from "./merkle.ts";
import { RecordError } from "./record-error.ts";

const version = 1;

/** What a snapshot holds: the tree's subtrees, and everybody with the indexes of their chain's records. */
export interface DirectoryContents {
  readonly peaks: readonly MerklePeak[];
  readonly users: readonly { readonly user: DirectoryUser; readonly indexes: readonly number[] }[];
}

type StoredPeak = readonly [hash: string, leaves: number];
type StoredDevice = readonly [
  id: string,
  name: string,
  keys: readonly [auth: string, sign: string, mls: string, seal: string],
  addedAt: number,
  recordHash: string,
  /** -1: not revoked. */
  revokedAt: number,
];
type StoredUser = readonly [
  id: string,
  name: string,
  createdAt: number,
  invite: readonly [key: string, proof: string],
  chain: readonly (readonly [hash: string, index: number])[],
  devices: readonly StoredDevice[],
];
type Stored = readonly [
  version: number,
  peaks: readonly StoredPeak[],
  users: readonly StoredUser[],
];

/** A snapshot's bytes: JSON arrays, their first number the format's version. */
export function encodeSnapshot({ peaks, users }: DirectoryContents): Uint8Array<ArrayBuffer> {
  const stored: Stored = [
    version,
    peaks.map(({ hash, leaves }) => [toBase64Url(hash), leaves]),
    users.map(({ user, indexes }) => [
      user.id,
      user.name,
      user.createdAt,
      [toBase64Url(user.invite.key), toBase64Url(user.invite.proof)],
      user.chain.map((hash, at) => [hash, indexes[at] ?? 0]),
      user.devices.map(storedDevice),
    ]),
  ];
  return new TextEncoder().encode(JSON.stringify(stored));
}

function storedDevice({ keys, ...device }: DirectoryDevice): StoredDevice {
  const { auth, sign, mls, seal } = keys;
  return [
    device.id,
    device.name,
    [toBase64Url(auth), toBase64Url(sign), toBase64Url(mls), toBase64Url(seal)],
    device.addedAt,
    device.recordHash,
    device.revokedAt ?? -1,
  ];
}

/** What a snapshot says. Throws `RecordError` MALFORMED. */
export function decodeSnapshot(bytes: Uint8Array): DirectoryContents {
  try {
    const stored = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Stored;
    if (stored[0] !== version) throw new RangeError(`it is of version ${String(stored[0])}`);
    const contents = {
      peaks: stored[1].map(([hash, leaves]) => ({ hash: fromBase64Url(hash), leaves })),
      users: stored[2].map(readUser),
    };
    const leaves = contents.peaks.reduce((sum, peak) => sum + peak.leaves, 0);
    const records = contents.users.reduce((sum, { indexes }) => sum + indexes.length, 0);
    if (leaves !== records) throw new RangeError("it does not hold every record");
    return contents;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "it cannot be read";
    throw new RecordError("MALFORMED", `not a snapshot of a directory: ${why}`, { cause });
  }
}

function readUser([id, name, createdAt, [key, proof], chain, devices]: StoredUser) {
  const user = parseUserId(id);
  return {
    user: {
      id: user,
      name: foldName(name),
      createdAt,
      invite: { key: fromBase64Url(key), proof: fromBase64Url(proof) },
      chain: chain.map(([hash]) => hash),
      devices: devices.map(([device, label, keys, addedAt, recordHash, revokedAt]) => {
        const [auth, sign, mls, seal] = keys;
        return {
          id: parseDeviceId(device),
          user,
          name: label,
          keys: {
            auth: fromBase64Url(auth),
            sign: fromBase64Url(sign),
            mls: fromBase64Url(mls),
            seal: fromBase64Url(seal),
          },
          addedAt,
          recordHash,
          revokedAt: revokedAt < 0 ? undefined : revokedAt,
        };
      }),
    },
    indexes: chain.map(([, index]) => index),
  };
}
