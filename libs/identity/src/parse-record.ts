import { foldName, limits, parseDeviceId, parseUserId } from "@sotto/protocol";
import { fromBase64Url } from "./base64url.ts";
import { canonicalJson, type JsonValue } from "./canonical-json.ts";
import type {
  Arrival,
  DeviceAdd,
  DeviceDescription,
  IdentityRecord,
  ParsedRecord,
  ResetAllowance,
} from "./record.ts";
import { RecordError } from "./record-error.ts";

type Fields = Readonly<Record<string, unknown>>;

// A byte order mark is kept and so refused: left out, one record would have two spellings.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** `typ` of every record's protected header. */
export const recordType = "sotto-record+jws";

/**
 * The record in a compact JWS: structure, exact header, exact fields, canonical payload. Signatures and
 * the chain are judged by `Directory`. Throws `RecordError` MALFORMED.
 */
export function parseRecord(bytes: Uint8Array): ParsedRecord {
  try {
    if (bytes.length > limits.recordBytesMax) throw new RangeError("it is too large");
    const parts = decoder.decode(bytes).split(".");
    if (parts.length !== 3) throw new RangeError("it is not a compact JWS");
    const header = parseCanonical(parts[0] ?? "");
    expectKeys(header, ["alg", "kid", "typ"]);
    if (header["alg"] !== "EdDSA" || header["typ"] !== recordType)
      throw new RangeError("its header is another one");
    const payload = parseCanonical(parts[1] ?? "");
    if (fromBase64Url(parts[2] ?? "").length !== 64)
      throw new RangeError("its signature has another length");
    return { record: readPayload(payload), signer: parseDeviceId(text(header, "kid")), bytes };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "it cannot be read";
    throw new RecordError("MALFORMED", `not an identity record: ${why}`, { cause });
  }
}

function parseCanonical(part: string): Fields {
  const json = decoder.decode(fromBase64Url(part));
  const value: unknown = JSON.parse(json);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new RangeError("it is no object");
  // One value has one encoding, so that nobody can make two records of one.
  if (canonicalJson(value as JsonValue) !== json) throw new RangeError("its JSON is not canonical");
  return value as Fields;
}

function readPayload(payload: Fields): IdentityRecord {
  if (payload["v"] !== 1) throw new RangeError("its version is another one");
  const base = {
    user: parseUserId(text(payload, "user")),
    seq: count(payload, "seq"),
    prev: hash(payload, "prev"),
    iat: count(payload, "iat"),
  };
  const common = ["v", "typ", "user", "seq", "prev", "iat", "device"];
  switch (payload["typ"]) {
    case "user-create": {
      expectKeys(payload, [...common, "name", "invite"]);
      const name = foldName(text(payload, "name"));
      if (name !== payload["name"]) throw new RangeError("its name is not folded");
      return {
        ...base,
        typ: "user-create",
        name,
        device: device(object(payload, "device")),
        invite: arrival(object(payload, "invite")),
      };
    }
    case "device-add": {
      const add = { ...base, typ: "device-add", ...added(payload) } as const;
      if (!("replaces" in payload)) {
        expectKeys(payload, [...common, "counter"]);
        return add;
      }
      expectKeys(payload, [...common, "counter", "replaces"]);
      return { ...add, replaces: parseDeviceId(text(payload, "replaces")) };
    }
    case "recovery-set":
      expectKeys(payload, [...common, "counter"]);
      return { ...base, typ: "recovery-set", ...added(payload) };
    case "device-revoke":
      expectKeys(payload, common);
      return { ...base, typ: "device-revoke", device: parseDeviceId(text(payload, "device")) };
    case "identity-reset":
      expectKeys(payload, [...common, "invite", "allowed"]);
      return {
        ...base,
        typ: "identity-reset",
        device: device(object(payload, "device")),
        invite: arrival(object(payload, "invite")),
        allowed: allowance(object(payload, "allowed")),
      };
    default:
      throw new RangeError("its type is not known");
  }
}

function added(fields: Fields): Pick<DeviceAdd, "device" | "counter"> {
  return { device: device(object(fields, "device")), counter: binary(fields, "counter", 64) };
}

function arrival(fields: Fields): Arrival {
  expectKeys(fields, ["key", "proof"]);
  return { key: binary(fields, "key", 32), proof: binary(fields, "proof", 64) };
}

function allowance(fields: Fields): ResetAllowance {
  expectKeys(fields, ["device", "expires", "signature"]);
  return {
    device: parseDeviceId(text(fields, "device")),
    expires: count(fields, "expires"),
    signature: binary(fields, "signature", 64),
  };
}

function device(fields: Fields): DeviceDescription {
  expectKeys(fields, ["id", "name", "auth", "sign", "mls", "seal"]);
  const name = text(fields, "name");
  if (!name.isWellFormed() || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(name))
    throw new RangeError("a device's name is not one line");
  if (encoder.encode(name).length > limits.nameBytesMax)
    throw new RangeError(`a device's name has more than ${limits.nameBytesMax} bytes`);
  return {
    id: parseDeviceId(text(fields, "id")),
    name,
    auth: binary(fields, "auth", 32),
    sign: binary(fields, "sign", 32),
    mls: binary(fields, "mls", 32),
    seal: binary(fields, "seal", 1216),
  };
}

function expectKeys(fields: Fields, keys: readonly string[]): void {
  const present = Object.keys(fields).sort().join();
  if (present !== [...keys].sort().join()) throw new RangeError(`its fields are ${present}`);
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw new RangeError(`${name} is no text`);
  return value;
}

function count(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`${name} is no count`);
  return value;
}

function hash(fields: Fields, name: string): string {
  const value = text(fields, name);
  if (!/^(?:[0-9a-f]{64})?$/.test(value)) throw new RangeError(`${name} is no hash`);
  return value;
}

function object(fields: Fields, name: string): Fields {
  const value = fields[name];
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new RangeError(`${name} is no object`);
  return value as Fields;
}

function binary(fields: Fields, name: string, length: number): Uint8Array {
  const bytes = fromBase64Url(text(fields, name));
  if (bytes.length !== length)
    throw new RangeError(`${name} has ${bytes.length} bytes, not ${length}`);
  return bytes;
}
