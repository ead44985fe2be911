import { CommandError, ExitCode } from "../exit-code.ts";

export type Params = Readonly<Record<string, unknown>>;

/** A parameter that must be a text. */
export function text(params: Params, name: string): string {
  const value = params[name];
  if (typeof value !== "string")
    throw new CommandError(ExitCode.usage, "USAGE", `${name} is missing`);
  return value;
}

export function optionalText(params: Params, name: string): string | undefined {
  return params[name] === undefined ? undefined : text(params, name);
}

/** A whole number from 0 on. */
export function optionalCount(params: Params, name: string): number | undefined {
  const value = params[name];
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new CommandError(ExitCode.usage, "USAGE", `${name} is not a whole number`);
  }
  return value;
}

export function texts(params: Params, name: string): string[] {
  const value = params[name];
  return Array.isArray(value) ? value.map(String) : [];
}

/** Calls `use` with secret bytes, which come as base64, and overwrites them afterwards. The text that they came in is beyond reach. */
export async function withSecret<Result>(
  params: Params,
  name: string,
  use: (bytes: Uint8Array) => Promise<Result>,
): Promise<Result> {
  const bytes = Buffer.from(text(params, name), "base64");
  try {
    return await use(bytes);
  } finally {
    bytes.fill(0);
  }
}
