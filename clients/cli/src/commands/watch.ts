import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { request } from "node:http";
import { delimiter, join } from "node:path";
import type { Command } from "commander";
import { CommandContext } from "../command.ts";
import { searchPath } from "../config.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import { count, objectIs, ofRoom } from "./flags.ts";

interface Served {
  readonly url: string;
  readonly bytes: number;
  readonly name: string;
  readonly mime: string;
}

/** Players by preference, with the flags that keep them from asking or caching on disk. */
const players: readonly (readonly [string, readonly string[]])[] = [
  ["mpv", ["--force-window=yes", "--cache-on-disk=no"]],
  ["ffplay", ["-autoexit", "-loglevel", "error"]],
  ["vlc", ["--play-and-exit"]],
];

export function registerWatch(program: Command): void {
  program
    .command("watch")
    .description("watch a video without keeping it; nothing of it is written to disk")
    .argument("<object>", objectIs)
    .option("--room <room>", ofRoom)
    .option("--stdout", "write the bytes to standard output")
    .option("--from <byte>", "first byte, with --stdout", count, 0)
    .option("--length <n>", "how many bytes, with --stdout", count)
    .option("--url", "only serve it, and print the address")
    .action(async (object: string, _flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const flags = command.opts();
      const stop = new AbortController();
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
      let action: Promise<void> | undefined;
      const begin = (served: Served) => {
        action = act(context, served, flags, stop).finally(() => stop.abort());
      };
      try {
        const params = { object, ...(flags["room"] ? { room: flags["room"] } : {}) };
        await context.call("watch", params, { signal: stop.signal, onItem: begin });
      } catch (error) {
        if (!stop.signal.aborted) throw error;
      }
      await action;
    });
}

async function act(
  context: CommandContext,
  served: Served,
  flags: { stdout?: boolean; url?: boolean; from?: number; length?: number },
  stop: AbortController,
): Promise<void> {
  if (flags.stdout) return await pipe(served, flags.from ?? 0, flags.length, stop.signal);
  context.output.result(
    { url: served.url, name: served.name, bytes: served.bytes, mime: served.mime },
    () => served.url,
  );
  if (flags.url) return await aborted(stop.signal);
  const player = players.find(([name]) => installed(name));
  if (!player) {
    context.output.note(
      "no player found (mpv, ffplay or VLC); open the address in one. Ctrl-C ends it.",
    );
    return await aborted(stop.signal);
  }
  await play(player[0], [...player[1], served.url], stop.signal);
}

async function pipe(
  served: Served,
  from: number,
  length: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (from > served.bytes) {
    throw new CommandError(ExitCode.refused, "BAD_RANGE", `the object has ${served.bytes} bytes`);
  }
  const end = Math.min(served.bytes, length === undefined ? served.bytes : from + length);
  if (end === from) return;
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error) =>
      reject(new CommandError(ExitCode.refused, "INTERRUPTED", error.message));
    const asked = request(
      served.url,
      { headers: { range: `bytes=${from}-${end - 1}` }, signal },
      (response) => {
        if (response.statusCode !== 206) return failed(new Error("the local server refused"));
        let received = 0;
        response.on("data", (chunk: Buffer) => {
          received += chunk.length;
          if (!process.stdout.write(chunk)) {
            response.pause();
            process.stdout.once("drain", () => response.resume());
          }
        });
        response.on("error", failed);
        response.on("end", () => {
          if (received === end - from) process.stdout.write("", () => resolve());
          else failed(new Error("the video ended before it should"));
        });
      },
    );
    asked.on("error", failed);
    asked.end();
  });
}

function installed(name: string): boolean {
  return searchPath()
    .split(delimiter)
    .some((folder) => {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function play(name: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const player = spawn(name, args, { stdio: ["ignore", "ignore", "inherit"], signal });
    player.on("error", (error) => (signal.aborted ? resolve() : reject(error)));
    player.on("exit", () => resolve());
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
    // Keeps this command alive while others use the address.
    const keep = setInterval(() => {}, 60_000);
    signal.addEventListener("abort", () => clearInterval(keep), { once: true });
  });
}
