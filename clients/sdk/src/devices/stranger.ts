import { systemClock } from "@sotto/clock";
import type { Hello } from "@sotto/protocol";
import { sha256 } from "../bytes.ts";
import { Connection } from "../connection/connection.ts";
import { checkServer } from "../connection/server-proof.ts";
import type { ServerAddress, Transport, TransportConnection } from "../ports/transport.ts";

/** A connection to a server that proved itself, over which nobody is logged in. */
export interface Greeted {
  readonly connection: Connection;
  readonly hello: Hello;
  readonly transport: TransportConnection;
  /** Of the identity key that it proved. */
  readonly serverKeySha256: Uint8Array;
}

const nobody = { event: () => {}, record: () => {}, closed: () => {} };

/**
 * Connects to the server whose identity key has this hash; where none is `pinned`, to whichever is there: what it
 * is then has to show otherwise. Rejects with NOT_REACHABLE, WRONG_SERVER.
 */
export async function greet(
  transport: Transport,
  address: ServerAddress,
  pinned: Uint8Array | undefined,
  signal: AbortSignal,
): Promise<Greeted> {
  const greeted = await Connection.open(transport, address, nobody, signal);
  try {
    const serverKeySha256 = pinned ?? (await sha256(greeted.hello.serverKey));
    await checkServer(greeted.hello, greeted.transport, serverKeySha256, systemClock.now());
    return { ...greeted, serverKeySha256 };
  } catch (error) {
    greeted.connection.close();
    throw error;
  }
}
