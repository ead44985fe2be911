import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** A server under measurement, in a process of its own. */
export interface Measured extends AsyncDisposable {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** What it said when it was ready. */
  readonly said: Readonly<Record<string, string>>;
  /** CPU that it has used since it started, in milliseconds. */
  cpuMs(): number;
  /** Resident memory, in bytes. */
  residentBytes(): number;
}

const clockTicksPerSecond = Number(spawnSync("getconf", ["CLK_TCK"]).stdout?.toString() || 100);
const canPin = spawnSync("taskset", ["-p", String(process.pid)]).status === 0;

/** Keeps this process, the load generator, on the core that servers do not have. */
export function pinGenerator(): boolean {
  if (canPin) spawnSync("taskset", ["-cpa", "1", String(process.pid)]);
  return canPin;
}

/** Starts a server on the first core; it prints a line of JSON with `address` when it is ready. */
export async function startMeasured(name: string, args: readonly string[]): Promise<Measured> {
  const node = [process.execPath, "--disable-warning=ExperimentalWarning", ...args];
  const [command = "", ...rest] = canPin ? ["taskset", "-c", "0", ...node] : node;
  const child = spawn(command, rest, { stdio: ["ignore", "pipe", "inherit"] });
  const said = await firstWords(child, name);
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(said["address"] ?? "") ?? [];
  const stat = () =>
    readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return {
    name,
    host,
    port: Number(port),
    said,
    cpuMs: () => ((Number(stat()[11]) + Number(stat()[12])) * 1000) / clockTicksPerSecond,
    residentBytes: () => Number(stat()[21]) * 4096,
    async [Symbol.asyncDispose]() {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** The JSON lines until the ready one and what comes with it. */
async function firstWords(child: ChildProcess, name: string): Promise<Record<string, string>> {
  const said: Record<string, string> = {};
  if (!child.stdout) throw new Error("no output to read");
  const lines = createInterface({ input: child.stdout });
  return await new Promise((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`${name} ended with ${code}`)));
    lines.on("line", (line) => {
      const { event, ...values } = JSON.parse(line) as Record<string, string>;
      if (event !== "ready" && event !== "invite") return;
      Object.assign(said, values);
      if (event === "ready") setTimeout(() => resolve(said), 20);
    });
  });
}
