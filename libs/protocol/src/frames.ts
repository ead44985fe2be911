import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { ProtocolError } from "./errors.ts";
import { type Frame, FrameFlag, FrameType } from "./frame.ts";
import { encodeFrame } from "./frame-encoder.ts";
import { encodeAppend, encodeAppended } from "./frequent-messages.ts";
import {
  CloseSchema,
  EventSchema,
  HelloSchema,
  RecordSchema,
  RequestSchema,
  ResponseSchema,
} from "./gen/sotto/v1/client_pb.js";

type Encode<Desc extends DescMessage> = (
  stream: number,
  init: MessageInitShape<Desc>,
) => Uint8Array<ArrayBuffer>;
type Decode<Desc extends DescMessage> = (frame: Frame) => MessageShape<Desc>;

function encoder<Desc extends DescMessage>(schema: Desc, type: number, flags = 0): Encode<Desc> {
  return (stream, init) => encodeFrame(type, stream, toBinary(schema, create(schema, init)), flags);
}

/**
 * A decoder throws `ProtocolError` where the body is not the message. `bytes` fields of what it gives
 * are views of the frame's body.
 */
function decoder<Desc extends DescMessage>(schema: Desc): Decode<Desc> {
  return (frame) => {
    try {
      return fromBinary(schema, frame.body);
    } catch (cause) {
      throw new ProtocolError(`a frame's body is not a ${schema.name}`, cause);
    }
  };
}

const { critical } = FrameFlag;
const anyRequest = encoder(RequestSchema, FrameType.request, critical);
const anyResponse = encoder(ResponseSchema, FrameType.response, critical);

/** A REQUEST frame. */
export const encodeRequest: Encode<typeof RequestSchema> = (stream, init) =>
  init.body?.case === "append" ? encodeAppend(stream, init.body.value) : anyRequest(stream, init);

/** A RESPONSE frame. */
export const encodeResponse: Encode<typeof ResponseSchema> = (stream, init) =>
  init.body?.case === "appended"
    ? encodeAppended(stream, init.body.value)
    : anyResponse(stream, init);

export const encodeHello: Encode<typeof HelloSchema> = encoder(
  HelloSchema,
  FrameType.hello,
  critical,
);
/** An EVENT frame: not critical, so that an old client passes over what it does not know. */
export const encodeEvent: Encode<typeof EventSchema> = encoder(EventSchema, FrameType.event);
export const encodeClose: Encode<typeof CloseSchema> = encoder(
  CloseSchema,
  FrameType.close,
  critical,
);

export const decodeHello: Decode<typeof HelloSchema> = decoder(HelloSchema);
export const decodeRequest: Decode<typeof RequestSchema> = decoder(RequestSchema);
export const decodeResponse: Decode<typeof ResponseSchema> = decoder(ResponseSchema);
export const decodeEvent: Decode<typeof EventSchema> = decoder(EventSchema);
export const decodeRecord: Decode<typeof RecordSchema> = decoder(RecordSchema);
export const decodeClose: Decode<typeof CloseSchema> = decoder(CloseSchema);
