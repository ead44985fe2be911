import { foldName, parseDeviceId, parseUserId, type UserId } from "@sotto/protocol";
import { fromBase64Url, toBase64Url } from "./base64url.ts";
import type { DirectoryDevice, DirectoryUser } from "./directory.ts";
import type { MerkleLevels } from "./merkle.ts";
import type { Arrival } from "./record.ts";
import { RecordError } from "./record-error.ts";

const version = 2;

/** What a snapshot holds: the tree's hashes, and everybody with the indexes of their chain's records. */
export interface DirectoryContents {
  readonly levels: MerkleLevels;
  readonly users: readonly { readonly user: DirectoryUser; readonly indexes: readonly number[] }[];
}

/** Of version 1: the roots of the largest perfect subtrees alone. */
type StoredPeak = readonly [hash: string, leaves: number];
/** Hashes of one level, one after another; a dot for one that is not known. */
type StoredLevel = string;
type StoredArrival = readonly [key: string, proof: string];
type StoredDevice = readonly [
  id: string,
  name: string,
  keys: readonly [auth: string, sign: string, mls: string, seal: string],
  addedAt: number,
  recordHash: string,
  /** -1: not revoked. */
  revokedAt: number,
  /** From version 2 on: 1 for a recovery key. */
  recovery?: number,
];
type StoredUser = readonly [
  id: string,
  name: string,
  createdAt: number,
  /** Version 1 has one, alone. */
  arrivals: readonly StoredArrival[] | StoredArrival,
  chain: readonly (readonly [hash: string, index: number])[],
  devices: readonly StoredDevice[],
  /** From version 2 on: place of the record with which the present identity began, and when it was made. */
  start?: readonly [seq: number, at: number],
];
type Stored = readonly [
  version: number,
  tree: readonly StoredLevel[] | readonly StoredPeak[],
  users: readonly StoredUser[],
];

/** A snapshot's bytes: JSON arrays, their first number the format's version. */
export function encodeSnapshot({ levels, users }: DirectoryContents): Uint8Array<ArrayBuffer> {
  const stored: Stored = [
    version,
    levels.map((level) => level.map((hash) => (hash ? toBase64Url(hash) : ".")).join(" ")),
    users.map(({ user, indexes }) => [
      user.id,
      user.name,
      user.createdAt,
      user.arrivals.map(({ key, proof }) => [toBase64Url(key), toBase64Url(proof)]),
      user.chain.map((hash, at) => [hash, indexes[at] ?? 0]),
      user.devices.map(storedDevice),
      [user.chain.indexOf(user.identityStart), user.arrivedAt],
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
    device.kind === "recovery" ? 1 : 0,
  ];
}

/** What a snapshot of this version or an older one says. Throws `RecordError` MALFORMED. */
export function decodeSnapshot(bytes: Uint8Array): DirectoryContents {
  try {
    const stored = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) as Stored;
    if (stored[0] !== version && stored[0] !== 1)
      throw new RangeError(`it is of version ${String(stored[0])}`);
    const levels =
      stored[0] === 1
        ? levelsOfPeaks(stored[1] as readonly StoredPeak[])
        : (stored[1] as readonly StoredLevel[]).map(readLevel);
    const contents = { levels, users: stored[2].map(readUser) };
    const records = contents.users.reduce((sum, { indexes }) => sum + indexes.length, 0);
    if ((levels[0]?.length ?? 0) !== records) throw new RangeError("it does not hold every record");
    return contents;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "it cannot be read";
    throw new RecordError("MALFORMED", `not a snapshot of a directory: ${why}`, { cause });
  }
}

function readLevel(level: StoredLevel): (Uint8Array | undefined)[] {
  return level.split(" ").map((hash) => (hash === "." ? undefined : fromBase64Url(hash)));
}

/** Levels in which only the roots of the largest perfect subtrees are known: enough to grow on. */
function levelsOfPeaks(peaks: readonly StoredPeak[]): (Uint8Array | undefined)[][] {
  const size = peaks.reduce((sum, [, leaves]) => sum + leaves, 0);
  const levels: (Uint8Array | undefined)[][] = [];
  for (let width = 1; width <= size; width *= 2)
    levels.push(new Array<undefined>(Math.floor(size / width)).fill(undefined));
  let from = 0;
  for (const [hash, leaves] of peaks) {
    const level = levels[Math.log2(leaves)];
    if (!level || from % leaves !== 0) throw new RangeError("its subtrees are none of a tree");
    level[from / leaves] = fromBase64Url(hash);
    from += leaves;
  }
  return levels;
}

function readArrival([key, proof]: StoredArrival): Arrival {
  return { key: fromBase64Url(key), proof: fromBase64Url(proof) };
}

function readUser([id, name, createdAt, arrived, chain, devices, start]: StoredUser) {
  const user = parseUserId(id);
  const [seq, arrivedAt] = start ?? [0, createdAt];
  const identityStart = chain[seq]?.[0];
  const arrivals = start
    ? (arrived as readonly StoredArrival[]).map(readArrival)
    : [readArrival(arrived as StoredArrival)];
  const invite = arrivals.at(-1);
  if (!invite || identityStart === undefined) throw new RangeError("a user has no beginning");
  return {
    user: {
      id: user,
      name: foldName(name),
      createdAt,
      invite,
      arrivals,
      identityStart,
      arrivedAt,
      chain: chain.map(([hash]) => hash),
      devices: devices.map((device) => readDevice(user, device)),
    },
    indexes: chain.map(([, index]) => index),
  };
}

function readDevice(user: UserId, stored: StoredDevice): DirectoryDevice {
  const [id, name, [auth, sign, mls, seal], addedAt, recordHash, revokedAt, recovery] = stored;
  return {
    id: parseDeviceId(id),
    user,
    kind: recovery === 1 ? "recovery" : "device",
    name,
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
}
