import { randomBytes } from "node:crypto";
import { type Incarnation, LogError } from "../log.ts";
import { parseIncarnation } from "../topic.ts";
import { type LogFiles, writeDurably } from "./log-files.ts";

const name = "incarnation";

/** Reads the log's incarnation, or draws one for a log that begins. */
export async function openIncarnation(
  files: LogFiles,
  folder: string,
  hasSegments: boolean,
): Promise<Incarnation> {
  const text = await readText(files, `${folder}/${name}`);
  if (text !== undefined) {
    const [, version, incarnation] = /^sotto-log (\d+) ([0-9a-f]{32})\n$/.exec(text) ?? [];
    if (incarnation === undefined) throw new LogError("CORRUPT", `${name} is damaged`);
    if (Number(version) > 1)
      throw new LogError("CORRUPT", `${name} has the newer format ${version}`);
    return parseIncarnation(incarnation);
  }
  // Without it nobody can tell whether clients' positions belong to these segments.
  if (hasSegments) throw new LogError("CORRUPT", `${name} is missing beside log segments`);
  const incarnation = parseIncarnation(randomBytes(16).toString("hex"));
  await writeDurably(files, folder, name, Buffer.from(`sotto-log 1 ${incarnation}\n`));
  return incarnation;
}

async function readText(files: LogFiles, path: string): Promise<string | undefined> {
  try {
    return await files.readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
