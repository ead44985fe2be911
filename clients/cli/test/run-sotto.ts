import { spawn } from "node:child_process";
import { join } from "node:path";

/** The program of the `sotto` command. */
export const cli = join(import.meta.dirname, "..", "bin", "sotto.js");

export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command as a shell would. */
export function runSotto(home: string, ...args: readonly string[]): Promise<Outcome> {
  return runSottoOn(undefined, home, ...args);
}

/** The same with a text on its standard input. */
export async function runSottoOn(
  input: string | undefined,
  home: string,
  ...args: readonly string[]
): Promise<Outcome> {
  const child = spawn(process.execPath, [
    "--disable-warning=ExperimentalWarning",
    cli,
    "--home",
    home,
    ...args,
  ]);
  if (input !== undefined) child.stdin.end(input);
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8");
  child.stderr.setEncoding("utf8");
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, out, err };
}
