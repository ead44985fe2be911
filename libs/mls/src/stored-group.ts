import { type ClientState, decodeGroupState, encodeGroupState } from "ts-mls";
import { MlsError } from "./mls-error.ts";
import { pack, unpack } from "./packed.ts";
import { safeConfig } from "./safe-config.ts";
import { withRatchets } from "./stored-ratchets.ts";
import { decodeWhole } from "./wire.ts";

/** The whole state in one value: a staged commit, and what earlier versions stored. */
const wholeVersion = 1;
/** What stays as it is through an epoch: everything but the ratchets. */
const epochVersion = 2;
const stateBytesMax = 256 * 1024 * 1024;

/** A group's state as one value. Secret. */
export function encodeState(state: ClientState): Uint8Array {
  return pack(wholeVersion, [encodeGroupState(state)]);
}

/** A group's state without the ratchets of its present epoch. Secret. */
export function encodeEpochState(state: ClientState): Uint8Array {
  return pack(epochVersion, [encodeGroupState({ ...state, secretTree: [] })]);
}

/** True where `decodeState` needs the ratchets too. */
export function needsRatchets(bytes: Uint8Array): boolean {
  return bytes[0] === epochVersion;
}

/** A group's state of stored bytes, and of its ratchets where it needs them. Throws `MlsError` BROKEN_STATE. */
export function decodeState(bytes: Uint8Array, ratchets?: Uint8Array): ClientState {
  if (!needsRatchets(bytes)) return decodeLibrary(bytes, wholeVersion);
  if (!ratchets) throw new MlsError("BROKEN_STATE", "the ratchets of a stored group are not there");
  return withRatchets(decodeLibrary(bytes, epochVersion), ratchets);
}

function decodeLibrary(bytes: Uint8Array, version: number): ClientState {
  const [encoded = new Uint8Array()] = unpack(bytes, version, 1);
  const state = decodeWhole(encoded, stateBytesMax, (input) => decodeGroupState(input, 0));
  // Judged anew at each commit; a state that was stored was judged when it was joined.
  return { ...state, clientConfig: safeConfig(() => false) };
}
