import {
  create,
  type DescMessage,
  fromBinary,
  isMessage,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type Bus, BusError, type BusSubscription } from "@sotto/bus";
import {
  ErrorCode,
  ErrorSchema,
  fromErrorMessage,
  IdError,
  ResponseSchema,
  SottoError,
  toErrorMessage,
} from "@sotto/protocol";

/**
 * First byte of a reply that is a `sotto.v1.Error`. No protobuf message begins with it (field
 * number 0 does not exist), so a peer that does not know it fails instead of misreading.
 */
const errorMark = 0;

export interface CallOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface ServeCallsOptions {
  /** Calls handled at the same time. Default as of the bus. */
  readonly concurrency?: number;
  /** Told of every error that is not a `SottoError` before it is answered as INTERNAL. */
  readonly onFailure?: (error: unknown) => void;
}

/**
 * Asks a service. Rejects with `SottoError`: the one that the service answered, UNAVAILABLE where
 * nobody answers in time, BUSY where its queue is full, INTERNAL where the answer cannot be read;
 * or with the signal's reason.
 */
export async function call<Request extends DescMessage, Response extends DescMessage>(
  bus: Bus,
  subject: string,
  request: Request,
  response: Response,
  message: MessageInitShape<Request>,
  options: CallOptions,
): Promise<MessageShape<Response>> {
  const asked = toBinary(request, create(request, message));
  const reply = await bus.request(subject, asked, options).catch((error: unknown) => {
    throw error instanceof BusError ? sottoErrorOf(error) : error;
  });
  return readReply(response, reply);
}

/**
 * Answers calls. A request that cannot be read, or that holds a malformed identifier, answers
 * BAD_REQUEST; a `SottoError` of the handler is answered as it is, anything else as INTERNAL with
 * its text kept here. Where the response is a `sotto.v1.Response`, errors are its `error`, so that
 * its bytes can be handed to a client.
 */
export function serve<Request extends DescMessage, Response extends DescMessage>(
  bus: Bus,
  subject: string,
  queue: string,
  request: Request,
  response: Response,
  handler: (message: MessageShape<Request>) => Promise<MessageInitShape<Response>>,
  options: ServeCallsOptions = {},
): Promise<BusSubscription> {
  const { concurrency, onFailure } = options;
  const answer = async (data: Uint8Array): Promise<Uint8Array> => {
    try {
      const result = await handler(readRequest(request, data));
      return toBinary(response, create(response, result));
    } catch (error) {
      const known = knownError(error);
      if (!known) onFailure?.(error);
      return errorReply(response, known ?? SottoError.from(error));
    }
  };
  return bus.serve(subject, ({ data }) => answer(data), {
    queue,
    ...(concurrency === undefined ? {} : { concurrency }),
  });
}

function readRequest<Request extends DescMessage>(
  request: Request,
  data: Uint8Array,
): MessageShape<Request> {
  try {
    return fromBinary(request, data);
  } catch (cause) {
    throw new SottoError(ErrorCode.BAD_REQUEST, "the request cannot be read", { cause });
  }
}

function readReply<Response extends DescMessage>(
  response: Response,
  reply: Uint8Array,
): MessageShape<Response> {
  const message = decodeReply(response, reply);
  if (message instanceof SottoError) throw message;
  if (isMessage(message, ResponseSchema) && message.body.case === "error") {
    throw fromErrorMessage(message.body.value);
  }
  return message;
}

function decodeReply<Response extends DescMessage>(
  response: Response,
  reply: Uint8Array,
): MessageShape<Response> | SottoError {
  try {
    if (reply[0] === errorMark) return fromErrorMessage(fromBinary(ErrorSchema, reply.subarray(1)));
    return fromBinary(response, reply);
  } catch (cause) {
    return new SottoError(ErrorCode.INTERNAL, "the answer cannot be read", { cause });
  }
}

function knownError(error: unknown): SottoError | undefined {
  if (error instanceof SottoError) return error;
  if (!(error instanceof IdError)) return undefined;
  return new SottoError(ErrorCode.BAD_REQUEST, "an identifier is malformed", { cause: error });
}

function errorReply(response: DescMessage, error: SottoError): Uint8Array {
  const value = toErrorMessage(error);
  if (response.typeName === ResponseSchema.typeName) {
    return toBinary(ResponseSchema, create(ResponseSchema, { body: { case: "error", value } }));
  }
  const bytes = toBinary(ErrorSchema, value);
  const reply = new Uint8Array(1 + bytes.length);
  reply[0] = errorMark;
  reply.set(bytes, 1);
  return reply;
}

const codeOfBusError: Readonly<Record<BusError["code"], ErrorCode>> = {
  NO_RESPONDERS: ErrorCode.UNAVAILABLE,
  TIMEOUT: ErrorCode.UNAVAILABLE,
  UNAVAILABLE: ErrorCode.UNAVAILABLE,
  BUSY: ErrorCode.BUSY,
  TOO_LARGE: ErrorCode.TOO_LARGE,
  HANDLER_FAILED: ErrorCode.INTERNAL,
};

function sottoErrorOf(error: BusError): SottoError {
  return new SottoError(codeOfBusError[error.code], "a service did not answer", { cause: error });
}
