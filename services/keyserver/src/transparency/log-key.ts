import { stat } from "node:fs/promises";
import { join } from "node:path";
import { StartError } from "@sotto/chassis";
import type { Signer } from "@sotto/identity";
import { loadKeyFile } from "../key-file.ts";
import { logStateFolder } from "./log-state.ts";

const name = "log.key";

/**
 * The key that signs the directory's checkpoints, which clients pin: read from `folder`, where the server identity
 * key lies too, made at first start. Where it is gone though checkpoints were signed, none is made: clients would
 * take the server for another one. Rejects with `StartError`.
 */
export async function loadLogKey(folder: string): Promise<Signer> {
  const path = join(folder, name);
  if (!(await exists(path)) && (await exists(join(folder, logStateFolder))))
    throw new StartError(
      `${path} is missing, though checkpoints were signed with it: restore it from a backup`,
    );
  return await loadKeyFile(folder, name, "no client will accept this server's directory");
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
