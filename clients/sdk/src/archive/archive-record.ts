import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { verifyEd25519 } from "@sotto/identity";
import { archiveInput, type DeviceId, fromHex, limits, toHex, toSafeNumber } from "@sotto/protocol";
import {
  type ArchiveRecord,
  ArchiveRecordSchema,
  SignedArchiveRecordSchema,
} from "@sotto/protocol/devices";
import type { ArchiveIdentity } from "./archive-identity.ts";

type Body = NonNullable<MessageInitShape<typeof ArchiveRecordSchema>["body"]>;

/** A record of the archive whose writer is known. */
export interface OpenedArchiveRecord {
  readonly device: DeviceId;
  readonly directorySize: number;
  readonly body: ArchiveRecord["body"];
}

/** A record of this device, as the archive keeps it; `size` of the directory by which it was made. */
export async function signArchiveRecord(
  identity: ArchiveIdentity,
  body: Body,
  size = identity.directory.size,
): Promise<Uint8Array<ArrayBuffer>> {
  const record = toBinary(
    ArchiveRecordSchema,
    create(ArchiveRecordSchema, {
      version: 1,
      user: fromHex(identity.user),
      device: fromHex(identity.device),
      directorySize: BigInt(size),
      body,
    }),
  );
  const signature = await identity.signKey.sign(archiveInput(record));
  return toBinary(
    SignedArchiveRecordSchema,
    create(SignedArchiveRecordSchema, { record, signature }),
  );
}

/**
 * A record by one of the user's own devices, which was one when it wrote it: by the directory that it names
 * the device was there and not revoked. Anything else is passed over: `undefined`. With `trusting`, only
 * the form is looked at.
 */
export async function openArchiveRecord(
  { user, directory }: ArchiveIdentity,
  data: Uint8Array,
  trusting = false,
): Promise<OpenedArchiveRecord | undefined> {
  if (data.length > limits.archiveRecordBytesMax) return undefined;
  try {
    const { record, signature } = fromBinary(SignedArchiveRecordSchema, data);
    const opened = fromBinary(ArchiveRecordSchema, record);
    const directorySize = toSafeNumber(opened.directorySize);
    const name = toHex(opened.device) as DeviceId;
    const found = { device: name, directorySize, body: opened.body };
    if (opened.version !== 1) return undefined;
    if (trusting) return found;
    const writer = directory.directory.device(name);
    if (toHex(opened.user) !== user || writer?.user !== user) return undefined;
    if (directorySize > directory.size || writer.addedAt >= directorySize) return undefined;
    if (writer.revokedAt !== undefined && writer.revokedAt < directorySize) return undefined;
    const input = archiveInput(record);
    return (await verifyEd25519(writer.keys.sign, input, signature)) ? found : undefined;
  } catch {
    return undefined;
  }
}
