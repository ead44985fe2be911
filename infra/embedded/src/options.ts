import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Environment, StartError } from "@sotto/chassis";
import { limits } from "@sotto/protocol";

/** How a person may set the embedded server up: by flag, else by variable, else by default. */
export interface ServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** `host` or `host:port` that invites carry; absent: worked out from `host`. */
  readonly address: string | undefined;
  readonly data: string;
  readonly jsonLogs: boolean;
  /** 0 takes any free port. */
  readonly adminPort: number;
  /** The protocol's limits that are to be other ones. */
  readonly limits: Partial<Record<LimitName, number>>;
}

type LimitName = keyof typeof limits;

export const helpText = `Usage: npm start -- [options]

Runs a whole Sotto server in one process.

  --port <n>        port for clients (SOTTO_PORT, default 7443; 0 takes any free one)
  --host <address>  where to listen (SOTTO_HOST, default 127.0.0.1: this machine alone;
                    0.0.0.0 or :: opens it to others)
  --address <name>  what invites carry, host or host:port (SOTTO_ADDRESS; default: SOTTO_DOMAIN,
                    else --host, else this machine's address in its network)
  --data <folder>   where everything is kept (SOTTO_DATA, default ./data)
  --admin-port <n>  health and metrics on 127.0.0.1 (SOTTO_ADMIN_PORT, default: any free one)
  --limit <name=n>  another value for one of the limits in PROTOCOL.md; may be given often
                    (SOTTO_LIMITS=name=n,name=n)
  --json-logs       one JSON object a line on standard output (SOTTO_JSON_LOGS=1)
  --help            this text

Exit codes: 0 stopped cleanly, 1 could not start or failed, 2 wrong usage.`;

/** Wrong usage of the command line: exit code 2. */
export class UsageError extends StartError {
  override readonly name = "UsageError";
}

/** Reads flags and variables. Answers "help" where help was asked for. Throws `UsageError`. */
export function readOptions(args: readonly string[], env: Environment): ServerOptions | "help" {
  const flags = parseFlags(args);
  if (flags.help) return "help";
  const port = readPort(flags.port ?? env["SOTTO_PORT"] ?? "7443", "--port");
  const address = flags.address ?? (env["SOTTO_ADDRESS"] || env["SOTTO_DOMAIN"] || undefined);
  return {
    host: flags.host ?? (env["SOTTO_HOST"] || "127.0.0.1"),
    port,
    address,
    data: resolve(flags.data ?? (env["SOTTO_DATA"] || "data")),
    jsonLogs: flags["json-logs"] ?? ["1", "true", "yes"].includes(env["SOTTO_JSON_LOGS"] ?? ""),
    adminPort: readPort(flags["admin-port"] ?? (env["SOTTO_ADMIN_PORT"] || "0"), "--admin-port"),
    limits: readLimits(flags.limit ?? (env["SOTTO_LIMITS"] || "").split(",").filter(Boolean)),
  };
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        port: { type: "string" },
        host: { type: "string" },
        address: { type: "string" },
        data: { type: "string" },
        "admin-port": { type: "string" },
        limit: { type: "string", multiple: true },
        "json-logs": { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split(". ")[0] : "wrong usage";
    throw new UsageError(`${why}. npm start -- --help shows what there is.`, { cause });
  }
}

function readLimits(settings: readonly string[]): Partial<Record<LimitName, number>> {
  return Object.fromEntries(
    settings.map((setting) => {
      const [, name = "", value] = /^(\w+)=(\d{1,15})$/.exec(setting) ?? [];
      if (!(name in limits))
        throw new UsageError(
          `--limit takes name=number with a name of PROTOCOL.md, not ${setting}`,
        );
      return [name, Number(value)];
    }),
  );
}

function readPort(text: string, flag: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new UsageError(`${flag} must be a port from 0 to 65535, not ${text}`);
  return port;
}
