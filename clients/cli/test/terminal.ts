import { spawn, spawnSync } from "node:child_process";
import { cli } from "./run-sotto.ts";

/** Whether this machine can give a command a terminal of its own. */
export const terminal = spawnSync("script", ["--version"]).status === 0;

/** Runs a command on a pseudo-terminal and answers all that stands on it. */
export async function onTerminal(home: string, ...args: readonly string[]): Promise<string> {
  const words = [process.execPath, "--disable-warning=ExperimentalWarning", cli, "--home", home];
  const command = [...words, ...args].map((word) => `'${word}'`).join(" ");
  const child = spawn("script", ["-qec", command, "/dev/null"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let shown = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (chunk) => {
    shown += chunk;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`sotto ${args.join(" ")} ended with ${code}: ${shown}`);
  return shown;
}
