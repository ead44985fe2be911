import { ErrorCode, SottoError, toSafeNumber } from "@sotto/protocol";
import type { Answer, Keyserver, RequestValue } from "./command.ts";

/** The newest signed head of the directory. */
export async function getCheckpoint({ checkpoints, state }: Keyserver): Promise<Answer> {
  await state.catchUp();
  return { case: "signedCheckpoint", value: await checkpoints.newest() };
}

/** Shows that a record is in the directory of a size. */
export function getInclusionProof(
  { state }: Keyserver,
  { index, size }: RequestValue<"getInclusionProof">,
): Promise<Answer> {
  return proof(() => state.directory.inclusionProof(toSafeNumber(index), toSafeNumber(size)));
}

/** Shows that the directory of one size begins with that of another. */
export function getConsistencyProof(
  { state }: Keyserver,
  { first, second }: RequestValue<"getConsistencyProof">,
): Promise<Answer> {
  return proof(() => state.directory.consistencyProof(toSafeNumber(first), toSafeNumber(second)));
}

async function proof(make: () => Promise<Uint8Array[]>): Promise<Answer> {
  try {
    return { case: "merkleProof", value: { hashes: await make() } };
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new SottoError(ErrorCode.BAD_RANGE, "the directory has no such place or size", { cause });
  }
}
