import { type FastifyInstance, fastify } from "fastify";
import type { Logger } from "./logger.ts";
import type { MetricsSource } from "./metrics.ts";
import { StartError } from "./start-error.ts";

/** A named condition of readiness. Must answer at once; one that throws counts as failing. */
export type ReadyCheck = () => boolean;

export interface AdminOptions {
  /** Default 127.0.0.1: the admin port is for the machine itself unless somebody opens it. */
  readonly host?: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly metrics: MetricsSource;
  readonly checks: Readonly<Record<string, ReadyCheck>>;
  /** True from when the service is about to go: whoever is there may stay, nobody new is to come. */
  readonly leaving?: () => boolean;
  readonly logger: Logger;
}

/** A listening admin port. Disposing closes it. */
export interface Admin extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/**
 * Serves `/livez` (200 while the process answers), `/readyz` (200, 503 with the names of the failing
 * checks, or 404 while leaving) and `/metrics` (Prometheus text). Rejects with `StartError` where it
 * cannot listen.
 */
export async function startAdmin(options: AdminOptions): Promise<Admin> {
  const host = options.host ?? "127.0.0.1";
  const server = fastify({ logger: false, bodyLimit: 1024, requestTimeout: 10_000 });
  addRoutes(server, options);
  try {
    await server.listen({ host, port: options.port });
  } catch (cause) {
    await server.close();
    throw new StartError(`cannot listen on ${host}:${options.port} for the admin port`, { cause });
  }
  const address = server.server.address();
  const port = typeof address === "object" && address ? address.port : options.port;
  options.logger.info("admin port is open", { host, port });
  return { host, port, [Symbol.asyncDispose]: () => server.close() };
}

function addRoutes(server: FastifyInstance, { metrics, checks, leaving }: AdminOptions): void {
  server.get("/livez", async () => ({ status: "alive" }));
  server.get("/readyz", async (_request, reply) => {
    // HAProxy's disable-on-404: nobody new, but it does not cut off who is there.
    if (leaving?.()) return reply.code(404).send({ status: "leaving" });
    const failing = Object.entries(checks)
      .filter(([, check]) => !passes(check))
      .map(([name]) => name);
    if (failing.length === 0) return { status: "ready" };
    return reply.code(503).send({ status: "not ready", failing });
  });
  server.get("/metrics", async (_request, reply) => {
    reply.type("text/plain; version=0.0.4; charset=utf-8");
    return metrics.render();
  });
}

function passes(check: ReadyCheck): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}
