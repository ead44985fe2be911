import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { StartError } from "@sotto/chassis";
import { generateEd25519, type Signer, signerFromSeed } from "@sotto/identity";
import { fromHex, toHex } from "@sotto/protocol";
import { writeNewFile } from "./new-file.ts";

/**
 * A long-lived Ed25519 key in a file of its own: read, or made where it is not there. Replicas that start at the same
 * time end with the same one. Rejects with `StartError`, which says `ifLost`, where it cannot be read.
 */
export async function loadKeyFile(folder: string, name: string, ifLost: string): Promise<Signer> {
  const path = join(folder, name);
  let text = await readKey(path);
  if (text === undefined) {
    const { seed } = await generateEd25519();
    await writeNewFile(folder, name, `${toHex(seed)}\n`);
    // Another replica may have been faster: its key is the server's.
    text = (await readKey(path)) ?? "";
  }
  if (!/^[0-9a-f]{64}\n?$/.test(text))
    throw new StartError(`${path} is damaged: restore it from a backup, or ${ifLost}`);
  return await signerFromSeed(fromHex(text.trim()));
}

async function readKey(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new StartError(`cannot read ${path}`, { cause });
  }
}
