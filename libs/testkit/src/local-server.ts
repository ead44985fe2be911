import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { systemClock } from "@sotto/clock";
import type { ServerCommand } from "./server-command.ts";

/** A free port of the loopback address, at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (!address || typeof address === "string") throw new Error("no port was given");
  return address.port;
}

/** A server's process. Disposing ends it with SIGTERM and waits. */
export interface LocalServer extends AsyncDisposable {
  readonly process: ChildProcess;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
}

/** Starts a server and resolves once its port answers; throws what it said where it ended before. */
export async function startLocal(
  command: ServerCommand,
  args: readonly string[],
  port: number,
  /** A program and its arguments to run the server under, such as `strace`. */
  under: readonly string[] = [],
): Promise<LocalServer> {
  const [file = command.file, ...rest] = [...under, command.file, ...command.leading, ...args];
  const child = spawn(file, rest, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  const hear = (chunk: Buffer) => {
    said = (said + chunk.toString("utf8")).slice(-4096);
  };
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  child.on("error", (error) => hear(Buffer.from(error.message)));
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    if (under.length > 0) signalChildren(child.pid ?? 0, signal);
    else child.kill(signal);
    await exit;
  };
  for (let attempt = 0; attempt < 400; attempt++) {
    if (child.exitCode !== null || child.pid === undefined) break;
    if (await answers(port)) {
      return {
        process: child,
        kill: () => end("SIGKILL"),
        [Symbol.asyncDispose]: () => end("SIGTERM"),
      };
    }
    await systemClock.sleep(25);
  }
  await end("SIGKILL");
  throw new Error(`${file} did not start: ${said.trim()}`);
}

/** A tracer that gets a signal lets go of the server, so the server gets it instead. */
function signalChildren(pid: number, signal: NodeJS.Signals): void {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  for (const child of children) if (child !== "") process.kill(Number(child), signal);
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
