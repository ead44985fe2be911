import { fromBinary } from "@bufbuild/protobuf";
import { decodeEnvelope } from "@sotto/identity";
import type { Group } from "@sotto/mls";
import {
  type Envelope,
  RecordKind,
  type Record as RecordMessage,
  StoredMessageSchema,
} from "@sotto/protocol";
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

/** The commit that let an impostor in, of what the server has stored. */
export function letIn(impostor: Impostor, records: readonly RecordMessage[]): Envelope | undefined {
  return records
    .filter(({ kind }) => kind === RecordKind.HANDSHAKE)
    .map(({ data }) => decodeEnvelope(data))
    .find(
      ({ welcome }) => welcome && welcome.inline.length > 0 && impostor.invitedBy(welcome.inline),
    );
}

/** Every text that an impostor reads of what the server has stored: nothing where nobody let it in. */
export async function textsSpied(
  impostor: Impostor,
  records: readonly RecordMessage[],
): Promise<string[]> {
  const { welcome, tree } = letIn(impostor, records) ?? {};
  if (!welcome) return [];
  const group = await impostor.enter(welcome.inline, tree?.inline ?? new Uint8Array());
  return await textsOpened(group, records);
}
