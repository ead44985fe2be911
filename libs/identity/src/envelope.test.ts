import { create, toBinary } from "@bufbuild/protobuf";
import {
  EnvelopeKind,
  EnvelopeSchema,
  ErrorCode,
  limits,
  SignedEnvelopeSchema,
  SottoError,
} from "@sotto/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { newSigner } from "../test/person.ts";
import { leafOf, TestRoom } from "../test/room.ts";
import { decodeEnvelope, openEnvelope, signEnvelope } from "./envelope.ts";

async function signed() {
  const by = leafOf();
  const signer = await newSigner();
  const message = new TestRoom().envelope({
    kind: EnvelopeKind.CREATE,
    by,
    directorySize: 7,
  });
  const data = await signEnvelope(toBinary(EnvelopeSchema, message), signer);
  return { by, signer, message, data };
}

test("an envelope is opened with the key of its committer, as of its directory size", async () => {
  const { by, signer, message, data } = await signed();
  const asked: unknown[] = [];
  const opened = await openEnvelope(data, async (committer, size) => {
    asked.push([committer, size]);
    return signer.publicKey;
  });
  expect(asked).toEqual([[by, 7]]);
  expect(opened).toEqual({ envelope: message, committer: by });
  expect(decodeEnvelope(data)).toEqual(message);
});

test("an envelope signed by another key, or by nobody known, is not opened", async () => {
  const { data } = await signed();
  const other = await newSigner();
  for (const key of [other.publicKey, undefined, new Uint8Array(32), new Uint8Array(5)])
    await expect(openEnvelope(data, async () => key)).rejects.toMatchObject({
      code: ErrorCode.BAD_SIGNATURE,
    });
});

test("a signature made for another purpose is none", async () => {
  const { message, signer } = await signed();
  const envelope = toBinary(EnvelopeSchema, message);
  const signature = await signer.sign(envelope);
  const data = toBinary(
    SignedEnvelopeSchema,
    create(SignedEnvelopeSchema, { envelope, signature }),
  );
  await expect(openEnvelope(data, async () => signer.publicKey)).rejects.toMatchObject({
    code: ErrorCode.BAD_SIGNATURE,
  });
});

test("an envelope in which any one byte is flipped is not opened", async () => {
  const { data, signer } = await signed();
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: data.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      async (at, flip) => {
        const bad = data.slice();
        bad[at] = (bad[at] ?? 0) ^ flip;
        await expect(openEnvelope(bad, async () => signer.publicKey)).rejects.toThrow(SottoError);
      },
    ),
  );
});

test("an envelope has one spelling: nobody respells what somebody else signed", async () => {
  const { data, signer } = await signed();
  const wrongWireType = data.slice();
  wrongWireType[0] = (wrongWireType[0] ?? 0) ^ 1;
  const unknownField = Uint8Array.from([...data, 0x7a, 1, 7]);
  const twice = Uint8Array.from([...data, ...data]);
  for (const bad of [wrongWireType, unknownField, twice])
    await expect(openEnvelope(bad, async () => signer.publicKey)).rejects.toMatchObject({
      code: ErrorCode.BAD_ENVELOPE,
    });
});

test("whatever the bytes are, reading answers an envelope or a SottoError", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (bytes) => {
      await expect(openEnvelope(bytes, async () => undefined)).rejects.toThrow(SottoError);
    }),
  );
  const huge = new Uint8Array(limits.envelopeBytesMax + 1);
  expect(() => decodeEnvelope(huge)).toThrow(
    expect.objectContaining({ code: ErrorCode.TOO_LARGE }),
  );
});
