import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Sets this machine's wall clock, which all containers share, ahead by `ms`, and back. */
export async function clockJump(ms: number, during: () => Promise<void>): Promise<void> {
  await move(ms);
  try {
    await during();
  } finally {
    await move(-ms);
  }
}

async function move(ms: number): Promise<void> {
  const { stdout } = await run("date", ["+%s.%N"]);
  await run("date", ["--set", `@${(Number(stdout) + ms / 1000).toFixed(3)}`]);
}
