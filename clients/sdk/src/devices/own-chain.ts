import { type ChainPlace, RecordError, sha256Hex } from "@sotto/identity";
import { ErrorCode } from "@sotto/protocol";
import type { Connection } from "../connection/connection.ts";
import { mayPass, SottoClientError, serverError } from "../errors.ts";
import type { RoomContext } from "../rooms/room-context.ts";

/** What changing the own chain needs of a client. */
export type ChainContext = Pick<RoomContext, "directory" | "clock" | "signal" | "online"> & {
  readonly profile: Pick<RoomContext["profile"], "user">;
};

const attemptsMax = 8;
const onlineTimeoutMs = 30_000;
const retryWaitMs = 300;

/** Where the next record of this device's user stands, as far as this device knows. */
export function nextPlace({ directory, profile, clock }: ChainContext): ChainPlace {
  const chain = directory.directory.user(profile.user)?.chain ?? [];
  return { user: profile.user, seq: chain.length, prev: chain.at(-1) ?? "", at: clock.now() };
}

/**
 * Puts a record into the own user's chain. `write` is asked again where another device was quicker, with the
 * place that is next then; `undefined` ends it. Resolves with the record's index once it is in this device's
 * own copy of the directory. Rejects with the server's refusal, or REFUSED.
 */
export async function submitRecord(
  context: ChainContext,
  write: (place: ChainPlace) => Promise<Uint8Array | undefined>,
): Promise<number | undefined> {
  for (let attempt = 1; ; attempt++) {
    const connection = await context.online(onlineTimeoutMs, context.signal);
    await context.directory.sync(connection);
    const place = nextPlace(context);
    const record = await write(place);
    if (!record) return undefined;
    const hash = await sha256Hex(record);
    // Before it is sent: its coming back is no news. What is signed with a copy of these keys is.
    context.directory.submitted.add(hash);
    const failure = await submitOnce(context, place, record);
    // Whether it stands shows in the directory, also where its answer was lost.
    await context.directory.sync(await context.online(onlineTimeoutMs, context.signal));
    const index = context.directory.directory.indexOf(hash);
    if (index !== undefined) return index;
    if (attempt === attemptsMax) throw failure;
    await context.clock.sleep(retryWaitMs * attempt, context.signal);
  }
}

/** Sends a record; answers why it may not stand. Rejects with what trying again does not change. */
async function submitOnce(
  context: ChainContext,
  place: ChainPlace,
  record: Uint8Array,
): Promise<Error> {
  const lost = new SottoClientError(
    "REFUSED",
    "your other devices changed your identity at the same time again and again; try once more",
  );
  try {
    // What the rules refuse is not sent: the reason is known here, in words.
    await context.directory.directory.check(record);
    const connection: Connection = await context.online(onlineTimeoutMs, context.signal);
    await connection.request({ case: "submitRecord", value: { record } }, "recordStored");
    return lost;
  } catch (error) {
    if (error instanceof RecordError) {
      if (nextPlace(context).seq !== place.seq) return lost;
      throw new SottoClientError("REFUSED", error.message, { cause: error });
    }
    if (serverError(error)?.code === ErrorCode.CHAIN_CONFLICT) return lost;
    if (mayPass(error) && error instanceof Error) return error;
    throw error;
  }
}
