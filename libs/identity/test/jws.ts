import { canonicalJson, type JsonValue } from "../src/canonical-json.ts";
import { fromBase64Url, type Signer, toBase64Url } from "../src/index.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export type Json = { [key: string]: JsonValue };

/** The parts of a compact JWS, its JSON read. */
export function readJws(bytes: Uint8Array): { header: Json; payload: Json; signature: string } {
  const [header = "", payload = "", signature = ""] = decoder.decode(bytes).split(".");
  const json = (part: string) => JSON.parse(decoder.decode(fromBase64Url(part))) as Json;
  return { header: json(header), payload: json(payload), signature };
}

/** A compact JWS of exactly these texts, signed over exactly these bytes. */
export async function signTexts(header: string, payload: string, signer: Signer) {
  const input = `${toBase64Url(encoder.encode(header))}.${toBase64Url(encoder.encode(payload))}`;
  const signature = await signer.sign(encoder.encode(input));
  return encoder.encode(`${input}.${toBase64Url(signature)}`);
}

/** The same with canonical JSON. */
export function signJws(header: Json, payload: Json, signer: Signer) {
  return signTexts(canonicalJson(header), canonicalJson(payload), signer);
}

/** Every path to a value in a record. */
export function pathsOf(value: JsonValue, path: readonly string[] = []): string[][] {
  if (typeof value !== "object") return [[...path]];
  return Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]));
}

/** A copy with one value replaced. */
export function replaced(
  json: Json,
  path: readonly string[],
  change: (old: JsonValue) => JsonValue,
) {
  const copy = structuredClone(json);
  let at = copy;
  for (const key of path.slice(0, -1)) at = at[key] as Json;
  const last = path.at(-1) ?? "";
  at[last] = change(at[last] ?? "");
  return copy;
}
