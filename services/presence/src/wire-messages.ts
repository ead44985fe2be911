import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  PresenceChangeSchema,
  PresenceLeaseSchema,
  PresenceReplicaSchema,
  PresenceStateChangedSchema,
} from "@sotto/interservice";
import { fromHex, toHex, toSafeNumber } from "@sotto/protocol";
import { changeFromEntry, type StateChange, wireState } from "./availability.ts";
import type { ChangeMessage, LeaseMessage } from "./presence-table.ts";

const edgeCharactersMax = 128;
const incarnationBytesMax = 64;

/** Thrown where a message of the bus is not what its subject promises. */
export class MalformedMessage extends Error {
  override readonly name = "MalformedMessage";
  readonly code = "MALFORMED";
}

/** A reader that throws `MalformedMessage` whatever is wrong with the bytes. */
function reader<Read>(read: (data: Uint8Array) => Read): (data: Uint8Array) => Read {
  return (data) => {
    try {
      return read(data);
    } catch (cause) {
      throw new MalformedMessage("a message cannot be read", { cause });
    }
  };
}

export const readLease: (data: Uint8Array) => LeaseMessage = reader((data) => {
  const lease = fromBinary(PresenceLeaseSchema, data);
  return { ...origin(lease), entries: lease.entries.map(changeFromEntry), ended: lease.ended };
});

export const readChange: (data: Uint8Array) => ChangeMessage = reader((data) => {
  const change = fromBinary(PresenceChangeSchema, data);
  if (!change.entry) throw new MalformedMessage("a change without its entry");
  return { ...origin(change), entry: changeFromEntry(change.entry) };
});

export const readStateChanged: (data: Uint8Array) => StateChange = reader((data) => {
  const { entry } = fromBinary(PresenceStateChangedSchema, data);
  if (!entry) throw new MalformedMessage("a state without its entry");
  return changeFromEntry(entry);
});

export const readReplica: (data: Uint8Array) => { id: string; ready: boolean } = reader((data) => {
  const { id, ready } = fromBinary(PresenceReplicaSchema, data);
  if (id === "" || id.length > edgeCharactersMax) throw new MalformedMessage("a replica's id");
  return { id, ready };
});

export function writeStateChanged(change: StateChange): Uint8Array {
  const entry = { user: fromHex(change.user), state: wireState(change.state) };
  return toBinary(PresenceStateChangedSchema, create(PresenceStateChangedSchema, { entry }));
}

export function writeReplica(id: string, ready: boolean): Uint8Array {
  return toBinary(PresenceReplicaSchema, create(PresenceReplicaSchema, { id, ready }));
}

function origin(message: { edge: string; incarnation: Uint8Array; version: bigint }) {
  const { edge, incarnation, version } = message;
  if (edge === "" || edge.length > edgeCharactersMax) throw new MalformedMessage("an edge's name");
  if (incarnation.length === 0 || incarnation.length > incarnationBytesMax) {
    throw new MalformedMessage("an incarnation");
  }
  return { edge, incarnation: toHex(incarnation), version: toSafeNumber(version) };
}
