import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { own } from "./children.ts";

const main = join(import.meta.dirname, "..", "embedded", "src", "main.ts");

/** A server in a process of its own, as `npm start` runs it. */
export interface DemoServer {
  readonly address: string;
  readonly ownerInvite: string | undefined;
  readonly pid: number;
  /** Everything that it wrote to its output. */
  output(): string;
  /** Ends it as a power button would end the process: no goodbye. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a server and resolves when it is ready. */
export async function startServer(
  data: string,
  port: number,
  program: string = main,
): Promise<DemoServer> {
  const words = ["--disable-warning=ExperimentalWarning", program, "--json-logs"];
  const child = own(
    spawn(process.execPath, [...words, "--port", String(port), "--data", data], {
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );
  let output = "";
  let ownerInvite: string | undefined;
  child.stderr.on("data", (chunk) => {
    output += chunk;
  });
  const lines = createInterface({ input: child.stdout });
  const ready = new Promise<string>((resolve, reject) => {
    lines.on("line", (line) => {
      output += `${line}\n`;
      const event = JSON.parse(line) as { event?: string; address?: string; invite?: string };
      if (event.event === "invite") ownerInvite = event.invite;
      // The invite's line follows the ready line at once.
      if (event.event === "ready") setImmediate(() => resolve(event.address ?? ""));
    });
    child.once("exit", (code) =>
      reject(new Error(`the server did not start (exit ${code})\n${output}`)),
    );
  });
  const address = await ready;
  return {
    address,
    get ownerInvite() {
      return ownerInvite;
    },
    pid: child.pid ?? 0,
    output: () => output,
    kill: () => end(child, "SIGKILL"),
    stop: () => end(child, "SIGTERM"),
  };
}

async function end(child: ChildProcess, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
}
