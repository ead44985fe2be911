import { chmodSync, existsSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { systemClock } from "@sotto/clock";
import { agentSocketPath } from "../config.ts";
import { lockProfile } from "./agent-lock.ts";
import { AgentProfile } from "./agent-profile.ts";
import { toReplyError } from "./failure.ts";
import { methods } from "./methods.ts";
import { parseRequest, readLines, writeLine } from "./wire.ts";

const idleMs = 60_000;
const removedEveryMs = 1_000;
/** Longer, where going costs somebody their passphrase. */
const unlockedIdleMs = 15 * 60_000;

/**
 * The agent of one profile: holds its session and its group state for all commands at once, so that
 * they never fork it, and the key of a profile with a passphrase. Ends when the profile's folder is removed, after a minute without a command, or
 * a quarter of an hour where it holds such a key. Resolves with the exit code.
 */
export async function runAgent(home: string): Promise<number> {
  using lock = lockProfile(home);
  if (!lock) return 0;
  const path = agentSocketPath(home);
  rmSync(path, { force: true });
  await using profile = new AgentProfile(home);
  const stopped = Promise.withResolvers<number>();
  const calls = new Set<Socket>();
  const stop = () => stopped.resolve(0);
  const { vault } = profile;
  const server = createServer((socket) => {
    idle.cancel();
    calls.add(socket);
    socket.once("close", () => {
      calls.delete(socket);
      if (calls.size === 0)
        idle = systemClock.after(vault.holdsKey ? unlockedIdleMs : idleMs, stop);
    });
    serve(socket, profile, stop);
  });
  let idle = systemClock.after(idleMs, stop);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  await listen(server, path);
  // Nobody finds an agent whose folder was removed, and it keeps nothing that anybody has.
  const watch = systemClock.every(removedEveryMs, () => {
    if (!existsSync(home)) stop();
  });
  const code = await stopped.promise;
  watch.cancel();
  rmSync(path, { force: true });
  for (const socket of calls) socket.destroy();
  server.close();
  return code;
}

/** Listens with the socket closed to other users from its first moment. */
async function listen(server: Server, path: string): Promise<void> {
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
  } finally {
    process.umask(before);
  }
  chmodSync(path, 0o600);
}

function serve(socket: Socket, profile: AgentProfile, stop: () => void): void {
  const gone = new AbortController();
  socket.on("error", () => {});
  socket.once("close", () => gone.abort(new Error("the command ended")));
  let begun = false;
  const take = async (value: unknown) => {
    if (begun) return;
    begun = true;
    let last = false;
    const context = {
      item: async (entry: unknown) => {
        if (!writeLine(socket, { item: entry })) await drained(socket);
      },
      signal: gone.signal,
      stop: () => {
        last = true;
      },
    };
    try {
      const { method, params } = parseRequest(value);
      const run = Object.hasOwn(methods, method) ? methods[method] : undefined;
      if (!run) throw new Error(`unknown method ${method}`);
      writeLine(socket, { result: (await run(profile, params, context)) ?? null });
    } catch (error) {
      if (!gone.signal.aborted) writeLine(socket, { error: toReplyError(error) });
    }
    socket.end(() => last && stop());
  };
  readLines(
    socket,
    (value) => void take(value),
    () => socket.destroy(),
  );
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    socket.once("drain", resolve);
    socket.once("close", () => resolve());
  });
}
