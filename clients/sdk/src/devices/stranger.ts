import { systemClock } from "@sotto/clock";
import type { Hello } from "@sotto/protocol";
import { Connection } from "../connection/connection.ts";
import { checkServer } from "../connection/server-proof.ts";
import type { ServerAddress, Transport, TransportConnection } from "../ports/transport.ts";

/** A connection to a server that proved itself, over which nobody is logged in. */
export interface Greeted {
  readonly connection: Connection;
  readonly hello: Hello;
  readonly transport: TransportConnection;
}

const nobody = { event: () => {}, record: () => {}, closed: () => {} };

/** Connects to the server whose identity key has this hash. Rejects with NOT_REACHABLE, WRONG_SERVER. */
export async function greet(
  transport: Transport,
  address: ServerAddress,
  serverKeySha256: Uint8Array,
  signal: AbortSignal,
): Promise<Greeted> {
  const greeted = await Connection.open(transport, address, nobody, signal);
  try {
    await checkServer(greeted.hello, greeted.transport, serverKeySha256, systemClock.now());
    return greeted;
  } catch (error) {
    greeted.connection.close();
    throw error;
  }
}
