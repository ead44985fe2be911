import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig } from "./config.ts";
import { unpackedServer } from "./debian-package.ts";
import { startInDocker } from "./docker-server.ts";
import { firstThatWorks } from "./first-that-works.ts";
import { freePort, startLocal } from "./local-server.ts";
import { commandOnPath, type ServerCommand } from "./server-command.ts";
import type { TestServer } from "./test-servers.ts";

export interface RedisServerOptions {
  /** `appendfsync`: "always" by default. */
  readonly appendFsync?: "always" | "everysec" | "no";
  /** Where Redis stores. Given, the server runs as a process of this machine and the folder is left. */
  readonly storeFolder?: string;
}

const image = "redis:8.0-alpine";

/**
 * A Redis server (7.2 or newer) with an append-only file: the environment's, or one in Docker, or
 * a process from the PATH or from an unpacked package. Throws with all reasons where none is.
 * The environment's server may be shared: use a key prefix of your own on it.
 */
export async function redisServer(options: RedisServerOptions = {}): Promise<TestServer> {
  const config = readConfig();
  if (options.storeFolder !== undefined) return startProcess(await redisCommand(), options);
  if (config.redisUrl && options.appendFsync === undefined) {
    return { url: config.redisUrl, origin: "env", [Symbol.asyncDispose]: async () => {} };
  }
  return firstThatWorks("Redis server", [
    { name: "Docker", attempt: () => startContainer(options) },
    { name: "process", attempt: async () => startProcess(await redisCommand(), options) },
  ]);
}

/** How to run a `redis-server` of at least 7.2 as a process of this machine. */
export async function redisCommand(): Promise<ServerCommand> {
  const { cacheFolder, searchPath } = readConfig();
  const debian = { package: "redis-server", suite: "trixie", binary: "usr/bin/redis-server" };
  return firstThatWorks("redis-server", [
    {
      name: "PATH",
      attempt: () => commandOnPath({ name: "redis-server", atLeast: [7, 2] }, searchPath),
    },
    { name: "Debian package", attempt: () => unpackedServer(debian, cacheFolder) },
  ]);
}

function startContainer(options: RedisServerOptions): Promise<TestServer> {
  return startInDocker({
    image,
    command: ["redis-server", ...redisArguments(options)],
    port: 6379,
    readyLine: /Ready to accept connections/,
    scheme: "redis",
    files: [],
  });
}

async function startProcess(
  command: ServerCommand,
  options: RedisServerOptions,
): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), "sotto-redis-"));
  const port = await freePort();
  const place = [
    "--bind",
    "127.0.0.1",
    "--port",
    `${port}`,
    "--dir",
    options.storeFolder ?? folder,
  ];
  const server = await startLocal(command, [...place, ...redisArguments(options)], port);
  return {
    url: `redis://127.0.0.1:${port}`,
    origin: command.origin,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function redisArguments(options: RedisServerOptions): readonly string[] {
  const appendFsync = options.appendFsync ?? "always";
  return ["--appendonly", "yes", "--appendfsync", appendFsync, "--save", ""];
}
