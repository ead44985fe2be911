import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface ProfileFolder extends AsyncDisposable {
  readonly path: string;
  /** Names of the files that hold `needle`, in capitals or not, in hex, base64 or as it is. */
  holding(needle: string | Uint8Array): Promise<string[]>;
}

/** A folder for a profile, removed in the end. */
export async function profileFolder(): Promise<ProfileFolder> {
  const path = await mkdtemp(join(tmpdir(), "sotto-profile-"));
  return {
    path,
    holding: (needle) => filesHolding(path, needle),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** Files below a folder that hold `needle` in any of its usual forms. */
export async function filesHolding(folder: string, needle: string | Uint8Array): Promise<string[]> {
  const raw = Buffer.from(needle as string);
  const base64 = [0, 1, 2].map((offset) => {
    const padded = Buffer.concat([Buffer.alloc(offset), raw]);
    return padded
      .subarray(0, padded.length - (padded.length % 3))
      .toString("base64")
      .slice(4);
  });
  const hex = raw.toString("hex");
  const forms = [raw, hex, hex.toUpperCase(), ...base64].map((form) => Buffer.from(form as string));
  forms.push(...base64.map((form) => Buffer.from(form.replace(/\+/g, "-").replace(/\//g, "_"))));
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const bytes = await readFile(join(entry.parentPath, entry.name));
    if (forms.some((form) => bytes.includes(form))) found.push(entry.name);
  }
  return found;
}
