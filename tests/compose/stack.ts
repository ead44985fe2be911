import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { processEnvironment } from "./config.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..", "..");
const outputBytesMax = 64 * 1024 * 1024;

export interface StackOptions {
  /** Replicas by service. */
  readonly scale?: Readonly<Record<string, number>>;
  /** Variables of `.env.example`. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Compose files beside `docker-compose.yml`. */
  readonly files?: readonly string[];
}

/** One container of the stack. */
export interface Container {
  readonly id: string;
  readonly service: string;
  readonly name: string;
}

/** The whole server as `docker compose up` runs it, in a project of its own with a port of its own. */
export class Stack implements AsyncDisposable {
  readonly project: string;
  readonly port: number;
  readonly #options: StackOptions;

  private constructor(project: string, port: number, options: StackOptions) {
    this.project = project;
    this.port = port;
    this.#options = options;
  }

  /** Builds the images where they are not there, and resolves when every service is healthy. */
  static async up(options: StackOptions = {}): Promise<Stack> {
    const { stack, up } = Stack.begin(options, await freePort());
    await up;
    return stack;
  }

  /** Begins to start: for what has to happen before every service is healthy. */
  static begin(
    options: StackOptions,
    port: number = 20_000 + Math.floor(Math.random() * 10_000),
  ): { readonly stack: Stack; readonly up: Promise<void> } {
    const stack = new Stack(`sotto-test-${randomBytes(4).toString("hex")}`, port, options);
    const up = stack.#up();
    // Whoever waits hears of it.
    up.catch(() => {});
    return { stack, up };
  }

  async #up(): Promise<void> {
    try {
      const { scale } = this.#options;
      await this.compose("up", "--detach", "--wait", "--quiet-pull", ...scaleFlags(scale));
    } catch (error) {
      const logs = await this.compose("logs", "--no-color", "--tail", "50").catch(() => "");
      await this[Symbol.asyncDispose]();
      throw new Error(`the stack did not come up: ${String(error)}\n${logs}`);
    }
  }

  /** Makes the images anew from the tree as it is; quick where nothing changed. */
  static async build(): Promise<void> {
    await command(["compose", "build", "--quiet"], {});
  }

  /** Runs `docker compose` on this project; answers its standard output. */
  compose(...args: readonly string[]): Promise<string> {
    const { files = [] } = this.#options;
    const chosen = ["docker-compose.yml", ...files].flatMap((file) => ["--file", file]);
    return command(["compose", "--project-name", this.project, ...chosen, ...args], {
      ...this.#options.environment,
      SOTTO_PORT: String(this.port),
      // Stacks may run beside each other.
      SOTTO_FRONT_SUBNET: `10.${200 + (this.port % 50)}.${(this.port >> 6) % 250}.0/24`,
    });
  }

  /** Brings a service to so many replicas, and resolves when all are healthy. */
  async scale(scale: Readonly<Record<string, number>>): Promise<void> {
    await this.compose("up", "--detach", "--wait", "--no-recreate", ...scaleFlags(scale));
  }

  /** Runs a command in a service's first container; answers its standard output. */
  exec(service: string, ...args: readonly string[]): Promise<string> {
    return this.compose("exec", "--no-TTY", service, ...args);
  }

  async containers(service: string): Promise<readonly Container[]> {
    const text = await this.compose("ps", "--all", "--format", "json", service);
    return text
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { ID: string; Service: string; Name: string })
      .map(({ ID: id, Service, Name: name }) => ({ id, service: Service, name }));
  }

  /** The one container of a service that runs once. */
  async container(service: string): Promise<Container> {
    const [container] = await this.containers(service);
    if (!container) throw new Error(`no container of ${service}`);
    return container;
  }

  /** The owner's invite, as the logs show it. */
  async ownerInvite(): Promise<string> {
    const logs = await this.compose("logs", "--no-color", "--no-log-prefix", "keyserver");
    const invites = [...logs.matchAll(/"invite":"(sotto:[^"]+)"/g)];
    const invite = invites.at(-1)?.[1];
    if (!invite) throw new Error("the logs show no invite");
    return invite;
  }

  /** The page of metrics of one container. */
  async metrics(container: Container): Promise<string> {
    const script =
      "fetch('http://127.0.0.1:9500/metrics').then(async(r)=>console.log(await r.text()))";
    return await docker("exec", container.id, "node", "-e", script);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Paused containers cannot be stopped.
    await this.compose("unpause").catch(() => "");
    await this.compose("down", "--volumes", "--timeout", "3");
  }
}

/** Runs `docker`; answers its standard output. */
export async function docker(...args: readonly string[]): Promise<string> {
  return await command(args, {});
}

/** Value of a metric on a page, summed over its labels; undefined where it is not there. */
export function metricOf(page: string, name: string): number | undefined {
  const values = page
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .map((line) => Number(line.split(" ").at(-1)));
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
}

async function command(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const { stdout } = await run("docker", [...args], {
    cwd: root,
    maxBuffer: outputBytesMax,
    env: { ...processEnvironment(), ...environment, COMPOSE_ANSI: "never" },
  });
  return stdout;
}

/** Follows the lines that `docker` prints until the signal aborts. */
export function follow(
  args: readonly string[],
  line: (text: string) => void,
  end: AbortSignal,
): void {
  const child = spawn("docker", [...args], { stdio: ["ignore", "pipe", "ignore"] });
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text: string) => {
    for (const one of text.split("\n")) if (one) line(one);
  });
  end.addEventListener("abort", () => child.kill(), { once: true });
}

function scaleFlags(scale: Readonly<Record<string, number>> = {}): string[] {
  return Object.entries(scale).flatMap(([service, count]) => ["--scale", `${service}=${count}`]);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || !address) throw new Error("no free port");
  return address.port;
}
