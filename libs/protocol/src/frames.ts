import { create, type DescMessage, fromBinary, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { SottoError } from "./errors.ts";
import { type Frame, FrameFlag, FrameType } from "./frame.ts";
import { encodeFrame } from "./frame-encoder.ts";
import {
  CloseSchema,
  ErrorCode,
  EventSchema,
  HelloSchema,
  RecordSchema,
  RequestSchema,
  ResponseSchema,
} from "./gen/sotto/v1/client_pb.js";

function encoder<Desc extends DescMessage>(schema: Desc, type: number, flags = 0) {
  return (stream: number, init: MessageInitShape<Desc>): Uint8Array<ArrayBuffer> =>
    encodeFrame(type, stream, toBinary(schema, create(schema, init)), flags);
}

function decoder<Desc extends DescMessage>(schema: Desc) {
  /** Throws `SottoError` BAD_REQUEST where the body is not the message. */
  return (frame: Frame): MessageShape<Desc> => {
    try {
      return fromBinary(schema, frame.body);
    } catch (cause) {
      throw new SottoError(ErrorCode.BAD_REQUEST, `a frame's body is not a ${schema.name}`, { cause });
    }
  };
}

type Encode<Desc extends DescMessage> = (stream: number, init: MessageInitShape<Desc>) => Uint8Array<ArrayBuffer>;
type Decode<Desc extends DescMessage> = (frame: Frame) => MessageShape<Desc>;

export const encodeHello: Encode<typeof HelloSchema> = encoder(HelloSchema, FrameType.hello, FrameFlag.critical);
export const encodeRequest: Encode<typeof RequestSchema> = encoder(RequestSchema, FrameType.request, FrameFlag.critical);
export const encodeResponse: Encode<typeof ResponseSchema> = encoder(ResponseSchema, FrameType.response, FrameFlag.critical);
export const encodeEvent: Encode<typeof EventSchema> = encoder(EventSchema, FrameType.event);
export const encodeRecord: Encode<typeof RecordSchema> = encoder(RecordSchema, FrameType.record, FrameFlag.critical);
export const encodeClose: Encode<typeof CloseSchema> = encoder(CloseSchema, FrameType.close, FrameFlag.critical);

export const decodeHello: Decode<typeof HelloSchema> = decoder(HelloSchema);
export const decodeRequest: Decode<typeof RequestSchema> = decoder(RequestSchema);
export const decodeResponse: Decode<typeof ResponseSchema> = decoder(ResponseSchema);
export const decodeEvent: Decode<typeof EventSchema> = decoder(EventSchema);
export const decodeRecord: Decode<typeof RecordSchema> = decoder(RecordSchema);
export const decodeClose: Decode<typeof CloseSchema> = decoder(CloseSchema);

/** Lets a media stream send `bytes` more. */
export function encodeCredit(stream: number, bytes: number): Uint8Array<ArrayBuffer> {
  const body = new Uint8Array(4);
  new DataView(body.buffer).setUint32(0, bytes);
  return encodeFrame(FrameType.credit, stream, body);
}

/** Bytes that a CREDIT frame grants. Throws `SottoError` BAD_REQUEST. */
export function decodeCredit(frame: Frame): number {
  if (frame.body.length !== 4) throw new SottoError(ErrorCode.BAD_REQUEST, "a credit has 4 bytes");
  return new DataView(frame.body.buffer, frame.body.byteOffset).getUint32(0);
}

/** Ends a media stream. */
export function encodeCancel(stream: number): Uint8Array<ArrayBuffer> {
  return encodeFrame(FrameType.cancel, stream, new Uint8Array());
}

/** A ping with 8 bytes that its pong echoes. */
export function encodePing(token: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodeFrame(FrameType.ping, 0, token);
}

/** The answer to a ping. */
export function encodePong(token: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodeFrame(FrameType.pong, 0, token);
}
