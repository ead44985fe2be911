import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig } from "./config.ts";
import { unpackedServer } from "./debian-package.ts";
import { startInDocker } from "./docker-server.ts";
import { firstThatWorks } from "./first-that-works.ts";
import { freePort, startLocal } from "./local-server.ts";
import { commandOnPath, type ServerCommand } from "./server-command.ts";
import type { TestServer } from "./test-servers.ts";

export interface NatsServerOptions {
  /** JetStream's `sync_interval`: "always" (the default) or a duration such as "2m". */
  readonly syncInterval?: string;
  /** Where JetStream stores. Given, the server runs as a process of this machine and the folder is left. */
  readonly storeFolder?: string;
  /** The port, so that a server can come back where another was. Needs `storeFolder`. */
  readonly port?: number;
  /** A program and its arguments to run the server under, such as `strace`. Needs `storeFolder`. */
  readonly under?: readonly string[];
}

const image = "nats:2.15-alpine";

/**
 * A NATS server (2.12 or newer) with JetStream: the environment's, or one in Docker, or a process
 * from the PATH or from an unpacked package, in this order. Throws with all reasons where none is.
 * The environment's server may be shared: use names of your own on it.
 */
export async function natsServer(options: NatsServerOptions = {}): Promise<TestServer> {
  const config = readConfig();
  if (options.storeFolder !== undefined) return startProcess(await natsCommand(), options);
  if (config.natsUrl && options.syncInterval === undefined) {
    return { url: config.natsUrl, origin: "env", [Symbol.asyncDispose]: async () => {} };
  }
  return firstThatWorks("NATS server", [
    { name: "Docker", attempt: () => startContainer(options) },
    { name: "process", attempt: async () => startProcess(await natsCommand(), options) },
  ]);
}

/** How to run a `nats-server` of at least 2.12 as a process of this machine. */
export async function natsCommand(): Promise<ServerCommand> {
  const { cacheFolder, searchPath } = readConfig();
  const debian = { package: "nats-server", suite: "forky", binary: "usr/sbin/nats-server" };
  return firstThatWorks("nats-server", [
    {
      name: "PATH",
      attempt: () => commandOnPath({ name: "nats-server", atLeast: [2, 12] }, searchPath),
    },
    { name: "Debian package", attempt: () => unpackedServer(debian, cacheFolder) },
  ]);
}

function startContainer(options: NatsServerOptions): Promise<TestServer> {
  return startInDocker({
    image,
    command: ["--config", "/etc/sotto-nats.conf"],
    port: 4222,
    readyLine: /Server is ready/,
    scheme: "nats",
    files: [
      { target: "/etc/sotto-nats.conf", content: natsConfig(options, "0.0.0.0", 4222, "/data") },
    ],
  });
}

async function startProcess(
  command: ServerCommand,
  options: NatsServerOptions,
): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), "sotto-nats-"));
  const store = options.storeFolder ?? join(folder, "store");
  const port = options.port ?? (await freePort());
  const file = join(folder, "nats.conf");
  await writeFile(file, natsConfig(options, "127.0.0.1", port, store));
  const server = await startLocal(command, ["--config", file], port, options.under);
  return {
    url: `nats://127.0.0.1:${port}`,
    origin: command.origin,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function natsConfig(options: NatsServerOptions, host: string, port: number, store: string): string {
  const sync = options.syncInterval ?? "always";
  return [
    `listen: "${host}:${port}"`,
    "max_payload: 8MB",
    `jetstream { store_dir: "${store}", sync_interval: ${sync === "always" ? sync : `"${sync}"`} }`,
    "",
  ].join("\n");
}
