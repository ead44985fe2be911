import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const services = join(import.meta.dirname, "..", "..", "services");

/** All four services, each in a process of its own, on a NATS and a Redis. */
export interface Processes extends AsyncDisposable {
  readonly ownerInvite: string;
  /** Kills one as a crash would, and starts it again. */
  restart(service: string): Promise<void>;
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Starts them and resolves when all are ready. */
export async function startProcesses(natsUrl: string, redisUrl: string): Promise<Processes> {
  const folder = await mkdtemp(join(tmpdir(), "sotto-distributed-"));
  const [edgePort, linkPort, ...adminPorts] = await Promise.all(
    Array.from({ length: 6 }, freePort),
  );
  const names = ["keyserver", "presence", "media", "tcp-edge"];
  const env = {
    ...process.env,
    SOTTO_NATS_URL: natsUrl,
    SOTTO_REDIS_URL: redisUrl,
    SOTTO_MEDIA_TOKEN: "0123456789abcdef0123456789abcdef",
    SOTTO_MEDIA_URL: `http://127.0.0.1:${linkPort}`,
    SOTTO_MEDIA_LINK_PORT: String(linkPort),
    SOTTO_BLOBS_FOLDER: join(folder, "blobs"),
    SOTTO_IDENTITY: join(folder, "identity"),
    SOTTO_DATA: join(folder, "edge"),
    SOTTO_PORT: String(edgePort),
    SOTTO_ADDRESS: `127.0.0.1:${edgePort}`,
  };
  const running = new Map<string, ChildProcess>();
  let ownerInvite = "";
  const start = async (name: string) => {
    const adminPort = String(adminPorts[names.indexOf(name)]);
    const program = join(services, name, "src", "main.ts");
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program], {
      env: { ...env, SOTTO_ADMIN_PORT: adminPort },
      stdio: ["ignore", "pipe", "inherit"],
    });
    running.set(name, child);
    createInterface({ input: child.stdout }).on("line", (line) => {
      const { event, invite } = JSON.parse(line) as { event?: string; invite?: string };
      if (event === "invite" && invite) ownerInvite = invite;
    });
    await ready(name, child, `http://127.0.0.1:${adminPort}/readyz`);
  };
  const end = async (name: string) => {
    const child = running.get(name);
    if (!child || child.exitCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  };
  for (const name of names) await start(name);
  return {
    get ownerInvite() {
      return ownerInvite;
    },
    async restart(name) {
      await end(name);
      await start(name);
    },
    async [Symbol.asyncDispose]() {
      for (const name of names) await end(name);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function ready(name: string, child: ChildProcess, url: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
    const answered = await fetch(url).catch(() => undefined);
    if (answered?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${name} did not become ready`);
}
