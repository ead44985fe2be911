import { spawn } from "node:child_process";
import { closeSync, lstatSync, mkdirSync, openSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { agentEnvironment, agentSocketPath } from "../config.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import { type AgentReply, readLines, writeLine } from "./wire.ts";

const startTimeoutMs = 15_000;
const pollMs = 10;

export interface CallOptions {
  /** Called for every item before the result. */
  readonly onItem?: (item: unknown) => void;
  readonly signal?: AbortSignal;
}

/**
 * Calls the profile's agent, starting it where none runs. One connection per call: closing it, or
 * aborting, ends what the agent does for it. Rejects with `CommandError`.
 */
export async function callAgent(
  home: string,
  method: string,
  params: Readonly<Record<string, unknown>>,
  options: CallOptions = {},
): Promise<unknown> {
  const socket = await connectOrStart(home);
  return await new Promise((resolve, reject) => {
    const lost = () =>
      reject(
        new CommandError(ExitCode.refused, "AGENT_LOST", "the local agent stopped; try again"),
      );
    const abort = () => {
      socket.destroy();
      reject(options.signal?.reason);
    };
    options.signal?.addEventListener("abort", abort, { once: true });
    socket.on("error", lost);
    socket.once("close", lost);
    readLines(
      socket,
      (value) => {
        const reply = value as AgentReply;
        if ("item" in reply) return options.onItem?.(reply.item);
        options.signal?.removeEventListener("abort", abort);
        socket.end();
        if ("result" in reply) return resolve(reply.result);
        const { exitCode, code, message } = reply.error;
        reject(new CommandError(exitCode as ExitCode, code, message));
      },
      lost,
    );
    writeLine(socket, { method, params });
  });
}

async function connectOrStart(home: string): Promise<Socket> {
  const path = agentSocketPath(home);
  if (dirname(path) !== home) ownFolder(dirname(path));
  const running = await tryConnect(path);
  if (running) return running;
  let exited = startAgent(home);
  const deadline = performance.now() + startTimeoutMs;
  while (performance.now() < deadline) {
    const socket = await tryConnect(path);
    if (socket) return socket;
    // One that found another agent in place ends at once; where that one was just stopping, start anew.
    if (exited.ended) {
      if (exited.code !== 0) throw agentFailed(home);
      exited = startAgent(home);
      await sleep(100);
    }
    await sleep(pollMs);
  }
  throw agentFailed(home);
}

function agentFailed(home: string): CommandError {
  return new CommandError(
    ExitCode.refused,
    "AGENT_FAILED",
    `the local agent did not start; ${join(home, "agent.log")} says why`,
  );
}

/** A folder in a place that others write to as well must be ours alone: who holds it hears everything. */
function ownFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const folder = lstatSync(path);
  if (folder.isDirectory() && folder.uid === process.getuid?.() && (folder.mode & 0o077) === 0)
    return;
  throw new CommandError(
    ExitCode.refused,
    "AGENT_FAILED",
    `${path} is not this user's alone; remove it, or use a shorter --home`,
  );
}

function tryConnect(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.removeAllListeners("error");
      resolve(socket);
    });
    socket.once("error", () => resolve(undefined));
  });
}

/** Starts the agent so that it outlives this command. */
function startAgent(home: string): { ended: boolean; code: number | null } {
  const state = { ended: false, code: null as number | null };
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const log = openSync(join(home, "agent.log"), "a", 0o600);
  const main = fileURLToPath(new URL("./agent-main.ts", import.meta.url));
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, home], {
    detached: true,
    stdio: ["ignore", log, log],
    env: agentEnvironment(),
    cwd: home,
  });
  child.on("exit", (code) => {
    state.ended = true;
    state.code = code;
  });
  child.unref();
  closeSync(log);
  return state;
}
