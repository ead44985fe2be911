import { constants } from "node:fs";
import { access, mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StartError } from "@sotto/chassis";

const formatVersion = 1;
const markerName = "sotto.json";

/** An opened data folder. Disposing lets another server have it. */
export interface DataFolder extends AsyncDisposable {
  readonly path: string;
  /** A folder of its own for one part of the server. */
  part(name: string): Promise<string>;
}

/**
 * Opens the data folder for one server alone, making it where it is not there. Rejects with
 * `StartError`, one clear line, where it cannot be written, belongs to a newer version, is not a
 * data folder of Sotto, or another server uses it.
 */
export async function openDataFolder(path: string): Promise<DataFolder> {
  try {
    await makeFolder(path);
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new StartError(
      `cannot write to the data folder ${path} (${code}); choose another with --data`,
      { cause },
    );
  }
  const lock = await lockFolder(path);
  try {
    await checkMarker(path);
  } catch (error) {
    lock.close();
    throw error;
  }
  return {
    path,
    async part(name) {
      const folder = join(path, name);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      return folder;
    },
    async [Symbol.asyncDispose]() {
      lock.close();
    },
  };
}

/** Makes a folder and those above it. Step by step: `recursive` does not end where a file system refuses. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    const above = dirname(path);
    const missing =
      code === "ENOENT" &&
      !(await access(above).then(
        () => true,
        () => false,
      ));
    if (!missing || above === path) throw error;
    await makeFolder(above);
    await mkdir(path, { mode: 0o700 });
  }
}

/** SQLite's file lock is used, because the system frees it however the process ends. */
async function lockFolder(path: string): Promise<DatabaseSync> {
  const lock = openLock(path);
  try {
    lock.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE;");
    return lock;
  } catch (cause) {
    lock.close();
    const busy = cause instanceof Error && /locked|busy/i.test(cause.message);
    const why = busy ? "another Sotto server is using it" : "its file 'lock' is damaged";
    throw new StartError(`the data folder ${path} cannot be used: ${why}`, { cause });
  }
}

function openLock(path: string): DatabaseSync {
  try {
    return new DatabaseSync(join(path, "lock"));
  } catch (cause) {
    throw new StartError(`cannot write to the data folder ${path}; choose another with --data`, {
      cause,
    });
  }
}

async function checkMarker(path: string): Promise<void> {
  const marker = join(path, markerName);
  let text: string;
  try {
    text = await readFile(marker, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") {
      throw new StartError(`cannot read ${marker}`, { cause });
    }
    return await writeMarker(path, marker);
  }
  const version = markerVersion(text);
  if (version === undefined) {
    throw new StartError(
      `the data folder ${path} is damaged: ${markerName} cannot be read; restore it from a backup`,
    );
  }
  if (version > formatVersion) {
    throw new StartError(
      `the data folder ${path} was written by a newer Sotto (format ${version}); update this one`,
    );
  }
}

function markerVersion(text: string): number | undefined {
  try {
    const { sotto } = JSON.parse(text) as { sotto?: unknown };
    return typeof sotto === "number" ? sotto : undefined;
  } catch {
    return undefined;
  }
}

async function writeMarker(path: string, marker: string): Promise<void> {
  await writeDurably(path, marker, `${JSON.stringify({ sotto: formatVersion })}\n`);
}

/** Writes a whole file, so that after a power loss it is there whole or not at all. */
async function writeDurably(folder: string, path: string, content: string): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const directory = await open(folder, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
