/** What a log line may carry beside its message: scalars, errors and flat lists of them. */
export type LogValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | Error
  | readonly LogValue[]
  | { readonly [name: string]: LogValue };

/** Named values of one log line. Never payloads, key material or text written by a person. */
export type LogFields = { readonly [name: string]: LogValue };

const depthMax = 4;
const textCharactersMax = 2048;

/**
 * Fields as they are written: raw bytes are dropped wherever they stand (payloads and keys are
 * bytes, and must not reach a log by mistake), errors become name, code, message and stack,
 * long text is cut, and nesting ends at a bounded depth.
 */
export function loggable(fields: object): Record<string, unknown> {
  return plainObject(fields, 0);
}

function plainObject(fields: object, depth: number): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    const kept = plainValue(value, depth);
    if (kept !== undefined) plain[name] = kept;
  }
  return plain;
}

function plainValue(value: unknown, depth: number): unknown {
  if (typeof value === "string") return cut(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer || depth >= depthMax) {
    return undefined;
  }
  if (value instanceof Error) return plainError(value, depth);
  if (Array.isArray(value)) {
    return value.map((item) => plainValue(item, depth + 1)).filter((item) => item !== undefined);
  }
  return plainObject(value, depth + 1);
}

function plainError(error: Error, depth: number): Record<string, unknown> {
  const code = "code" in error ? error.code : undefined;
  return plainObject(
    { name: error.name, code, message: error.message, stack: error.stack, cause: error.cause },
    depth + 1,
  );
}

function cut(text: string): string {
  return text.length > textCharactersMax ? `${text.slice(0, textCharactersMax)}…` : text;
}
