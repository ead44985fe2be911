import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  encodeFrame,
  FrameDecoder,
  FrameType,
  limits,
  RecordKind,
  type Record as RecordMessage,
  RecordSchema,
  StoredMessageSchema,
} from "@sotto/protocol";
import type { Transport, TransportConnection } from "@sotto/sdk";
import { tlsTransport } from "@sotto/sdk/node";

/** What is done with a record on its way to one client: `undefined` drops it. */
export type Tamper = (record: RecordMessage) => RecordMessage | undefined;

/** A server that does not give every client the same records. */
export class TamperingTransport implements Transport {
  tamper: Tamper = (record) => record;

  async connect(
    ...[address, events, signal]: Parameters<Transport["connect"]>
  ): Promise<TransportConnection> {
    const decoder = new FrameDecoder({ frameBytesMax: limits.frameBytesMax });
    return await tlsTransport.connect(
      address,
      {
        ...events,
        data: (bytes) => {
          for (const { type, stream, flags, body } of decoder.push(bytes)) {
            const sent = type === FrameType.record ? this.#record(body) : body;
            if (sent) events.data(encodeFrame(type, stream, sent, flags));
          }
        },
        closed: (reason) => events.closed(reason),
        drained: () => events.drained(),
      },
      signal,
    );
  }

  #record(body: Uint8Array): Uint8Array | undefined {
    const record = this.tamper(fromBinary(RecordSchema, body));
    return record && toBinary(RecordSchema, record);
  }
}

/** The record with a message of the same device and id that nobody can open. */
export function spoiled(record: RecordMessage): RecordMessage {
  if (record.kind !== RecordKind.MESSAGE) return record;
  const stored = fromBinary(StoredMessageSchema, record.data);
  const sealed = stored.sealed.slice();
  sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1;
  const data = toBinary(StoredMessageSchema, create(StoredMessageSchema, { ...stored, sealed }));
  return { ...record, data };
}
