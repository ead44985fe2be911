import { fromBinary } from "@bufbuild/protobuf";
import { decodeEnvelope } from "@sotto/identity";
import type { Group } from "@sotto/mls";
import { RecordKind, type Record as RecordMessage, StoredMessageSchema } from "@sotto/protocol";
import { ContentSchema } from "@sotto/protocol/content";
import type { Impostor } from "./impostor.ts";

/** Every text in `records` that `group` can open. */
export async function textsOpened(
  group: Group,
  records: readonly RecordMessage[],
): Promise<string[]> {
  const found: string[] = [];
  for (const { kind, data } of records) {
    if (kind !== RecordKind.MESSAGE) continue;
    const { sealed } = fromBinary(StoredMessageSchema, data);
    const opened = await group.open(sealed).catch(() => undefined);
    const body = opened && fromBinary(ContentSchema, opened.plaintext).body;
    if (body?.case === "text") found.push(body.value.text);
  }
  return found;
}

/** Every text that an impostor reads of what the server has stored: nothing where nobody let it in. */
export async function textsSpied(
  impostor: Impostor,
  records: readonly RecordMessage[],
): Promise<string[]> {
  for (const { kind, data } of records) {
    if (kind !== RecordKind.HANDSHAKE) continue;
    const { welcome, tree } = decodeEnvelope(data);
    if (!welcome || welcome.inline.length === 0 || !impostor.invitedBy(welcome.inline)) continue;
    return await textsOpened(
      await impostor.enter(welcome.inline, tree?.inline ?? new Uint8Array()),
      records,
    );
  }
  return [];
}
