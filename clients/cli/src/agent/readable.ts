import { type SottoClient, SottoClientError } from "@sotto/sdk";
import type { MethodContext } from "./methods.ts";

/** How long a command that only reads lets the server not answer. */
const graceMs = 5_000;

/**
 * For commands that only read: waits until this device has what the server has. Where the server is not reachable,
 * says so in a notice and answers false: what is here is shown. Rejects with the reason of a refusal.
 */
export async function readable(client: SottoClient, { item }: MethodContext): Promise<boolean> {
  try {
    if (await client.reached(graceMs)) {
      await client.ready();
      return true;
    }
  } catch (error) {
    if (!(error instanceof SottoClientError) || error.code !== "NOT_REACHABLE") throw error;
  }
  const text = "the server is not reachable; this is what this device has";
  await item({ type: "notice", text });
  return false;
}
