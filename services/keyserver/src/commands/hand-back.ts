import type { Answer, Keyserver, RequestValue } from "./command.ts";

/** Takes back records that a restored copy lacks. Anybody may bring them: see `TakeBack`. */
export async function handBackRecords(
  server: Keyserver,
  request: RequestValue<"handBackRecords">,
): Promise<Answer> {
  const next = await server.takeBack.take(request);
  return { case: "handedBack", value: { next: BigInt(next) } };
}
