import { describe, expect, it } from "vitest";
import * as protocol from "../src/index.ts";
import { readVectorFile, readVectors, type Vector } from "./vector-file.ts";

const { fromHex, toHex } = protocol;

interface SigningVector extends Vector {
  readonly function: string;
  readonly arguments: Readonly<Record<string, string | number>>;
  readonly expect:
    | "refused"
    | { readonly bytes: string }
    | { readonly input: string; readonly signature: string };
}

/** Arguments as the functions take them: everything binary is hex in the file. */
function bytesOf(fields: SigningVector["arguments"]): Record<string, Uint8Array | number> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === "string" ? fromHex(value) : value,
    ]),
  );
}

type Signing = (input: unknown) => Uint8Array;

function inputOf({ function: name, arguments: fields }: SigningVector): Uint8Array {
  const make = (protocol as unknown as Readonly<Record<string, Signing>>)[name];
  if (!make) throw new Error(`there is no ${name}`);
  if (name === "webSocketBinding") return make(fields["origin"]);
  const given = bytesOf(fields);
  const single = Object.keys(given).length === 1;
  return make(single ? Object.values(given)[0] : given);
}

const { publicKey } = readVectorFile<{ readonly publicKey: string }>("signing.json");

describe("signing.json", () => {
  it.each(readVectors<SigningVector>("signing.json"))("$title", async (vector) => {
    const { expect: expected } = vector;
    if (expected === "refused") return expect(() => inputOf(vector)).toThrow(RangeError);
    const input = inputOf(vector);
    if ("bytes" in expected) return expect(toHex(input)).toBe(expected.bytes);
    expect(toHex(input)).toBe(expected.input);
    const key = await crypto.subtle.importKey("raw", fromHex(publicKey), "Ed25519", false, [
      "verify",
    ]);
    const signature = fromHex(expected.signature);
    expect(await crypto.subtle.verify("Ed25519", key, signature, new Uint8Array(input))).toBe(true);
  });
});
