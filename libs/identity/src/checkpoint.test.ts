import { fromHex, limits, toHex } from "@sotto/protocol";
import { describe, expect, test } from "vitest";
import { readVectorFile, readVectors, type Vector } from "../../protocol/test/vector-file.ts";
import { newSigner, randomBytes } from "../test/person.ts";
import {
  checkpointNote,
  checkpointOrigin,
  checkpointText,
  noteKeyId,
  openCheckpoint,
  signCheckpoint,
  signLogKey,
  verifyCheckpoint,
  verifyLogKey,
} from "./checkpoint.ts";
import { signerFromSeed } from "./ed25519.ts";

const origin = checkpointOrigin(new Uint8Array(32).fill(9));
const encoder = new TextEncoder();
const head = { size: 123, root: new Uint8Array(32).fill(5) };

async function signed() {
  const logKey = await newSigner();
  const checkpoint = await signCheckpoint(head, origin, logKey);
  const note = await checkpointNote(checkpoint, origin, logKey.publicKey);
  return { logKey, checkpoint, note, text: new TextDecoder().decode(note) };
}

test("a signed head is opened with its key, and from the note as from the signature alone", async () => {
  const { logKey, checkpoint, note, text } = await signed();
  expect(await openCheckpoint(note, origin, logKey.publicKey)).toEqual(checkpoint);
  expect(await verifyCheckpoint(checkpoint, origin, logKey.publicKey)).toBe(true);
  expect(text.startsWith(checkpointText(origin, head))).toBe(true);
  const lines = text.split("\n");
  expect(lines.slice(0, 2)).toEqual([`sotto/${"09".repeat(32)}`, "123"]);
  expect(lines.slice(3, 4)).toEqual([""]);
});

test("another key, origin, size or root is not what was signed", async () => {
  const { logKey, checkpoint, note } = await signed();
  const key = logKey.publicKey;
  const other = await newSigner();
  expect(await openCheckpoint(note, origin, other.publicKey)).toBeUndefined();
  expect(await openCheckpoint(note, checkpointOrigin(randomBytes(32)), key)).toBeUndefined();
  for (const change of [{ size: 124 }, { size: -1 }, { size: 0.5 }, { root: randomBytes(32) }]) {
    expect(await verifyCheckpoint({ ...checkpoint, ...change }, origin, key)).toBe(false);
    if (change.size !== undefined && change.size < 124) continue;
    const moved = await checkpointNote({ ...checkpoint, ...change }, origin, key);
    expect(await openCheckpoint(moved, origin, key)).toBeUndefined();
  }
  expect(await verifyCheckpoint({ ...checkpoint, root: randomBytes(31) }, origin, key)).toBe(false);
});

test("signatures of others are passed over, whatever they say, and stand for nothing", async () => {
  const { logKey, checkpoint, note, text } = await signed();
  const witness = "\u2014 witness.example/w AAAAAAAAAAAAAAAA\n";
  const own = text.slice(text.indexOf("\u2014"));
  const begin = text.slice(0, text.indexOf("\u2014"));
  const key = logKey.publicKey;
  for (const lines of [witness + own, own + witness, own + witness.repeat(15)])
    expect(await openCheckpoint(encoder.encode(begin + lines), origin, key)).toEqual(checkpoint);
  for (const lines of [witness, own + own, own + witness.repeat(16), ""])
    expect(await openCheckpoint(encoder.encode(begin + lines), origin, key), lines).toBeUndefined();
  // Another log under the same name, its own signature first.
  const impostor = await newSigner();
  const forged = await checkpointNote(
    await signCheckpoint(head, origin, impostor),
    origin,
    impostor.publicKey,
  );
  const both = new TextDecoder().decode(forged) + own;
  expect(await openCheckpoint(encoder.encode(both), origin, key)).toEqual(checkpoint);
  expect(await openCheckpoint(forged, origin, key)).toBeUndefined();
  expect(note.length).toBeLessThan(limits.checkpointBytesMax);
});

test("a note of which any byte is another opens as the same head or not at all", async () => {
  const { logKey, checkpoint, note } = await signed();
  for (let at = 0; at < note.length; at++) {
    for (const flip of [1, 2, 0x80]) {
      const bad = note.slice();
      bad[at] = (bad[at] ?? 0) ^ flip;
      const opened = await openCheckpoint(bad, origin, logKey.publicKey);
      expect(opened ?? checkpoint, String(at)).toEqual(checkpoint);
      expect(opened, String(at)).toBeUndefined();
    }
    const cut = await openCheckpoint(note.slice(0, at), origin, logKey.publicKey);
    expect(cut).toBeUndefined();
  }
});

test("the key id is that of C2SP signed notes", async () => {
  // The verifier key that golang.org/x/mod/sumdb/note shows in its documentation.
  const key = Buffer.from("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "base64").subarray(1);
  expect(toHex(await noteKeyId("PeterNeumann", key))).toBe("c74f20a3");
});

test("the server identity vouches for the log key", async () => {
  const [server, log, other] = [await newSigner(), await newSigner(), await newSigner()];
  const proof = await signLogKey(log.publicKey, server);
  expect(await verifyLogKey(log.publicKey, proof, server.publicKey)).toBe(true);
  expect(await verifyLogKey(other.publicKey, proof, server.publicKey)).toBe(false);
  expect(await verifyLogKey(log.publicKey, proof, other.publicKey)).toBe(false);
  expect(await verifyLogKey(randomBytes(31), proof, server.publicKey)).toBe(false);
});

interface CheckpointVector extends Vector {
  readonly note: string;
  readonly expect: "refused" | { readonly size: number; readonly root: string };
}

interface CheckpointVectors {
  readonly seed: string;
  readonly logKey: string;
  readonly origin: string;
}

describe("checkpoints.json", () => {
  const { seed, logKey, origin: name } = readVectorFile<CheckpointVectors>("checkpoints.json");

  test.each(readVectors<CheckpointVector>("checkpoints.json"))("$title", async (vector) => {
    const opened = await openCheckpoint(encoder.encode(vector.note), name, fromHex(logKey));
    if (vector.expect === "refused") return expect(opened).toBeUndefined();
    expect(opened && { size: opened.size, root: toHex(opened.root) }).toEqual(vector.expect);
    const { size, root } = vector.expect;
    const signer = await signerFromSeed(fromHex(seed));
    const again = await signCheckpoint({ size, root: fromHex(root) }, name, signer);
    expect(again).toEqual(opened);
  });
});
