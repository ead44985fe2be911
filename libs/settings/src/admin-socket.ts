import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Systems take about 100 bytes for a socket's path. */
const pathBytesMax = 100;

/**
 * Where `sotto-admin` reaches the server of a data folder: a socket in it, or elsewhere under a name of its own where
 * the path would be too long.
 */
export function adminSocketPath(folder: string): string {
  const path = join(folder, "admin.sock");
  if (Buffer.byteLength(path) <= pathBytesMax) return path;
  const name = createHash("sha256").update(folder).digest("hex").slice(0, 16);
  return join(tmpdir(), `sotto-admin-${name}.sock`);
}
