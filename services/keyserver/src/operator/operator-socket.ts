import { chmod, rm } from "node:fs/promises";
import { type Logger, StartError } from "@sotto/chassis";
import { makeInvite, sha256 } from "@sotto/identity";
import { limits, toHex } from "@sotto/protocol";
import { type FastifyInstance, type FastifyReply, fastify } from "fastify";
import { Type } from "typebox";
import type { ServerKeys } from "../server-keys.ts";
import type { Operator, OperatorInvite } from "./operator.ts";
import { OperatorError } from "./operator-error.ts";

export interface OperatorSocketOptions {
  readonly operator: Operator;
  /** Path of the socket; see `adminSocketPath`. */
  readonly path: string;
  readonly keys: Pick<ServerKeys, "identityKey" | "logKey">;
  /** What invites carry, as of now. */
  readonly address: () => { readonly host: string; readonly port: number };
  readonly logger: Logger;
}

/**
 * Serves the operator on a Unix socket that its owner alone may open: whoever reaches it may do all that
 * `sotto-admin` does. Rejects with `StartError` where it cannot listen.
 */
export async function serveOperator(options: OperatorSocketOptions): Promise<AsyncDisposable> {
  const server = fastify({ logger: false, bodyLimit: 16 * 1024, requestTimeout: 30_000 });
  server.setErrorHandler((error: Error & { validation?: unknown }, _request, reply) =>
    refuse(reply, error, options.logger),
  );
  addRoutes(server, options);
  await rm(options.path, { force: true });
  const before = process.umask(0o177);
  try {
    await server.listen({ path: options.path });
    await chmod(options.path, 0o600);
  } catch (cause) {
    await server.close();
    throw new StartError(`cannot listen on ${options.path} for sotto-admin`, { cause });
  } finally {
    process.umask(before);
  }
  return {
    async [Symbol.asyncDispose]() {
      await server.close();
      await rm(options.path, { force: true });
    },
  };
}

const inviteBody = Type.Object(
  {
    owner: Type.Optional(Type.Boolean()),
    uses: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.inviteUsesMax })),
    expiresInMs: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  { additionalProperties: false },
);

function addRoutes(server: FastifyInstance, options: OperatorSocketOptions): void {
  const { operator } = options;
  server.get("/status", async () => {
    const { directory } = await operator.status();
    return { directory: { ...directory, root: toHex(directory.root) } };
  });
  server.get("/people", async () => ({ people: await operator.people() }));
  server.post<{ Params: { name: string } }>("/people/:name/disable", async ({ params }) =>
    operator.setDisabled(params.name, true),
  );
  server.post<{ Params: { name: string } }>("/people/:name/enable", async ({ params }) =>
    operator.setDisabled(params.name, false),
  );
  server.get("/invites", async () => ({ invites: await operator.invites() }));
  server.post<{ Body: { owner?: boolean; uses?: number; expiresInMs?: number } }>(
    "/invites",
    { schema: { body: inviteBody } },
    async ({ body }) => {
      const { owner = false, uses = 1, expiresInMs = weekMs } = body;
      const made = owner
        ? await operator.ownerInvite()
        : await operator.invite({ uses, expiresInMs });
      return await addressed(made, options);
    },
  );
  server.delete<{ Params: { id: string } }>("/invites/:id", async ({ params }) => {
    await operator.revokeInvite(params.id);
    return {};
  });
}

const weekMs = 7 * 24 * 3600 * 1000;

async function addressed(
  { secret, expiresAt }: OperatorInvite,
  { keys, address }: OperatorSocketOptions,
) {
  const { host, port } = address();
  const serverKeySha256 = await sha256(keys.identityKey.publicKey);
  const logKey = keys.logKey.publicKey;
  return {
    ...makeInvite({ host, port, serverKeySha256, logKey, rooms: [], secret, expiresAt }),
    expiresAt,
  };
}

function refuse(
  reply: FastifyReply,
  error: Error & { validation?: unknown },
  logger: Logger,
): FastifyReply {
  if (error instanceof OperatorError)
    return reply.code(409).send({ code: error.code, message: error.message });
  if (error.validation)
    return reply.code(400).send({ code: "BAD_REQUEST", message: error.message });
  logger.error("a request of the operator failed", { err: error });
  return reply.code(500).send({ code: "FAILED", message: "the server failed; its log says more" });
}
