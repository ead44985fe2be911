import { resolve } from "node:path";
import { adminSocketPath } from "@sotto/settings";
import type { Command } from "commander";
import { OperatorClient } from "./operator-client.ts";
import type { Surroundings } from "./program.ts";

/** The running server: by its socket where one is set, else by its data folder. */
export function reach(command: Command, { env }: Surroundings): OperatorClient {
  const { data } = command.optsWithGlobals<{ data?: string }>();
  const socket = env["SOTTO_ADMIN_SOCKET"];
  if (socket && data === undefined) return new OperatorClient(socket);
  return new OperatorClient(adminSocketPath(resolve(data ?? (env["SOTTO_DATA"] || "data"))));
}

/** True where the caller wants JSON. */
export function wantsJson(command: Command): boolean {
  return command.optsWithGlobals<{ json?: boolean }>().json === true;
}
