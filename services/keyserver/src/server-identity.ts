import type { Signer } from "@sotto/identity";
import { loadKeyFile } from "./key-file.ts";

/**
 * The server's long-lived identity key, which invites pin: read from `folder`, made at first start.
 * Losing it makes every invite and profile refuse the server. Rejects with `StartError`.
 */
export function loadServerIdentity(folder: string): Promise<Signer> {
  return loadKeyFile(folder, "server.key", "no client will accept this server");
}
