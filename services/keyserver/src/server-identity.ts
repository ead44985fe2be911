import { randomBytes } from "node:crypto";
import { link, mkdir, open, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { StartError } from "@sotto/chassis";
import { generateEd25519, type Signer, signerFromSeed } from "@sotto/identity";
import { fromHex, toHex } from "@sotto/protocol";

/**
 * The server's long-lived identity key, which invites pin: read from `folder`, made at first start.
 * Losing it makes every invite and profile refuse the server. Rejects with `StartError`.
 */
export async function loadServerIdentity(folder: string): Promise<Signer> {
  const path = join(folder, "server.key");
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") {
      throw new StartError(`cannot read ${path}`, { cause });
    }
    const { seed } = await generateEd25519();
    await keep(folder, path, `${toHex(seed)}\n`);
    // Another replica may have been faster: its key is the server's.
    text = await readFile(path, "utf8");
  }
  if (!/^[0-9a-f]{64}\n?$/.test(text)) {
    throw new StartError(
      `${path} is damaged: restore it from a backup, or no client will accept this server`,
    );
  }
  return await signerFromSeed(fromHex(text.trim()));
}

/** Writes the key so that after a power loss it is there whole or not at all. */
async function keep(folder: string, path: string, content: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString("hex")}.new`;
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    // Unlike a rename, it takes nobody's place.
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await unlink(temporary);
  }
  const directory = await open(folder, "r");
  await directory.sync().finally(() => directory.close());
}
