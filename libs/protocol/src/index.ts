export { reconnects } from "./close-codes.ts";
export {
  errorName,
  fromErrorMessage,
  ProtocolError,
  retryOf,
  SottoError,
  type SottoErrorDetails,
  toErrorMessage,
} from "./errors.ts";
export { type Frame, FrameFlag, FrameType, frameHeaderBytes } from "./frame.ts";
export { FrameDecoder } from "./frame-decoder.ts";
export { encodeFrame, encodeFrameHeader } from "./frame-encoder.ts";
export { FrameError, type FrameErrorCode } from "./frame-error.ts";
export {
  decodeClose,
  decodeEvent,
  decodeHello,
  decodeRecord,
  decodeRequest,
  decodeResponse,
  encodeClose,
  encodeEvent,
  encodeHello,
  encodeRequest,
  encodeResponse,
} from "./frames.ts";
export {
  encodeAppend,
  encodeAppended,
  encodeArchivedMessage,
  encodeRecord,
  encodeStoredMessage,
  readRecord,
  readStoredMessage,
} from "./frequent-messages.ts";
export * from "./gen/sotto/v1/client_pb.js";
export * from "./gen/sotto/v1/records_pb.js";
export * from "./ids.ts";
export { limits } from "./limits.ts";
export { checkTitle, foldName, readsLikePerson, type UserName } from "./names.ts";
export {
  type ArrivalInput,
  type AuthInput,
  archiveInput,
  arrivalInput,
  authInput,
  type CertificateInput,
  certificateInput,
  deviceCounterInput,
  disablementInput,
  envelopeInput,
  grantInput,
  logKeyInput,
  type ResetInput,
  resetInput,
  tlsBinding,
  webSocketBinding,
} from "./signing.ts";
export {
  decodeCredit,
  decodePing,
  encodeCancel,
  encodeCredit,
  encodePing,
  encodePong,
} from "./stream-frames.ts";
