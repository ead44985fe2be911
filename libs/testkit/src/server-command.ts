import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** How to start a server's binary: the file and what comes before the server's own arguments. */
export interface ServerCommand {
  readonly file: string;
  readonly leading: readonly string[];
  readonly origin: "path" | "unpacked";
}

/** What is asked of a binary: its name and the lowest version that will do. */
export interface WantedBinary {
  readonly name: string;
  readonly atLeast: readonly [major: number, minor: number];
}

/** Answers "major.minor.patch" as the binary tells it, or undefined where it does not run. */
export async function versionOf(command: ServerCommand): Promise<string | undefined> {
  try {
    const { stdout } = await run(command.file, [...command.leading, "--version"]);
    return /v(?:ersion\s)?=?(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

/** True where `version` is at least the wanted one. */
export function isNewEnough(version: string, [major, minor]: readonly [number, number]): boolean {
  const [haveMajor = 0, haveMinor = 0] = version.split(".").map(Number);
  return haveMajor > major || (haveMajor === major && haveMinor >= minor);
}

/** Finds a binary on the search path; throws with the reason where none will do. */
export async function commandOnPath(
  wanted: WantedBinary,
  searchPath: string,
): Promise<ServerCommand> {
  for (const folder of searchPath.split(delimiter)) {
    const file = join(folder, wanted.name);
    if (!(await isExecutable(file))) continue;
    const command: ServerCommand = { file, leading: [], origin: "path" };
    const version = await versionOf(command);
    if (version && isNewEnough(version, wanted.atLeast)) return command;
    throw new Error(`${file} is ${version ?? "of an unknown version"}, too old`);
  }
  throw new Error(`no ${wanted.name} on the PATH`);
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
