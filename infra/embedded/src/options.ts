import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { ConfigError, type Environment, StartError } from "@sotto/chassis";
import {
  type LimitName,
  parseLimits,
  pickSettings,
  type SettingPick,
  variables,
} from "@sotto/settings";

/** How a person may set the embedded server up: by flag, else by variable, else by file, else by default. */
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
  /** Absent: in the data folder. */
  readonly adminSocket: string | undefined;
  /** Absent: self-signed. */
  readonly tls: { readonly keyFile: string; readonly certificateFile: string } | undefined;
  /** A folder that may hold a certificate of somebody else's making. */
  readonly tlsFolder: string | undefined;
  readonly origins: readonly string[] | undefined;
  readonly proxies: readonly string[];
  /** The protocol's limits that are to be other ones. */
  readonly limits: Partial<Record<LimitName, number>>;
}

const names = [
  "host",
  "port",
  "address",
  "domain",
  "data",
  "jsonLogs",
  "adminPort",
  "adminSocket",
  "tlsKeyFile",
  "tlsCertificateFile",
  "tlsFolder",
  "origins",
  "proxies",
  "limits",
] as const;

const definition = pickSettings(names, { data: "data", jsonLogs: false });

/** The setting that each flag sets. */
const settingOfFlag = {
  port: "port",
  host: "host",
  address: "address",
  data: "data",
  "admin-port": "adminPort",
  "tls-key": "tlsKeyFile",
  "tls-certificate": "tlsCertificateFile",
  limit: "limits",
  "json-logs": "jsonLogs",
} as const;

export const helpText = `Usage: npm start -- [options]

Runs a whole Sotto server in one process.

  --port <n>        port for clients (SOTTO_PORT, default 7443; 0 takes any free one)
  --host <address>  where to listen (SOTTO_HOST, default 127.0.0.1: this machine alone;
                    0.0.0.0 or :: opens it to others)
  --address <name>  what invites carry, host or host:port (SOTTO_ADDRESS; default: SOTTO_DOMAIN,
                    else --host, else this machine's address in its network)
  --data <folder>   where everything is kept (SOTTO_DATA, default ./data)
  --tls-key <file>, --tls-certificate <file>
                    PEM files, read again when they change (SOTTO_TLS_KEY,
                    SOTTO_TLS_CERTIFICATE; default: self-signed, which invites vouch for)
  --admin-port <n>  health and metrics on 127.0.0.1 (SOTTO_ADMIN_PORT, default: any free one)
  --limit <name=n>  another value for one of the limits in PROTOCOL.md; may be given often
                    (SOTTO_LIMITS=name=n,name=n)
  --config <file>   JSON object of the variables in .env.example (SOTTO_CONFIG)
  --json-logs       one JSON object a line on standard output (SOTTO_JSON_LOGS=1)
  --help            this text

./sotto-admin --help shows how to invite, and how to look after people.

Exit codes: 0 stopped cleanly, 1 could not start or failed, 2 wrong usage.`;

/** Wrong usage of the command line: exit code 2. */
export class UsageError extends StartError {
  override readonly name = "UsageError";
}

/** Reads flags, variables and file. Answers "help" where help was asked for. Throws `UsageError` or `ConfigError`. */
export function readOptions(args: readonly string[], env: Environment): ServerOptions | "help" {
  const { help, config, ...flags } = parseFlags(args);
  if (help) return "help";
  const given = variablesOf(flags);
  checkFlags(given);
  const settings = definition.load(
    { ...env, ...given },
    config ?? (env["SOTTO_CONFIG"] || undefined),
  );
  return optionsOf(settings);
}

function optionsOf(settings: SettingPick<(typeof names)[number]>): ServerOptions {
  const { tlsKeyFile: keyFile, tlsCertificateFile: certificateFile } = settings;
  return {
    host: settings.host,
    port: settings.port,
    address: settings.address ?? settings.domain,
    data: resolve(settings.data),
    jsonLogs: settings.jsonLogs,
    adminPort: settings.adminPort,
    adminSocket: settings.adminSocket,
    tls: keyFile && certificateFile ? { keyFile, certificateFile } : undefined,
    tlsFolder: settings.tlsFolder,
    origins: settings.origins,
    proxies: settings.proxies,
    limits: parseLimits(settings.limits),
  };
}

type Flags = { readonly [Flag in keyof typeof settingOfFlag]?: string | boolean | string[] };

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
        "tls-key": { type: "string" },
        "tls-certificate": { type: "string" },
        limit: { type: "string", multiple: true },
        config: { type: "string" },
        "json-logs": { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split(". ")[0] : "wrong usage";
    throw new UsageError(`${why}. npm start -- --help shows what there is.`, { cause });
  }
}

function variablesOf(flags: Flags): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settingOfFlag).flatMap(([flag, setting]) => {
      const value = flags[flag as keyof Flags];
      if (value === undefined) return [];
      if (value === "") throw new UsageError(`--${flag} is empty`);
      return [[variables[setting], Array.isArray(value) ? value.join(",") : String(value)]];
    }),
  );
}

/** What is wrong with flags is told by their names. */
function checkFlags(given: Readonly<Record<string, string>>): void {
  const pairless = Object.keys(given).filter((variable) => !variable.startsWith("SOTTO_TLS_"));
  try {
    definition.load(Object.fromEntries(pairless.map((variable) => [variable, given[variable]])));
  } catch (cause) {
    if (!(cause instanceof ConfigError)) throw cause;
    const problems = cause.problems.map((problem) => {
      const flag = Object.entries(settingOfFlag).find(([, setting]) =>
        problem.startsWith(`${variables[setting]}`),
      );
      return flag ? problem.replace(variables[flag[1]], `--${flag[0]}`) : problem;
    });
    throw new UsageError(problems.join("; "), { cause });
  }
}
