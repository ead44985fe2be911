import { create, toBinary } from "@bufbuild/protobuf";
import { ErrorCode, limits, RequestSchema, SottoError } from "@sotto/protocol";
import { expect, test } from "vitest";
import { randomBytes } from "../../../../libs/identity/test/person.ts";
import type { RequestBody } from "../connection/connection.ts";
import { handBack } from "./hand-back.ts";

const records = Array.from({ length: 40 }, () => randomBytes(2600));
const head = { size: 40, root: randomBytes(32), signature: randomBytes(64) };

/** A server that answers as `next` says, given what it was asked. */
async function handed(
  next: (from: number, count: number) => number,
  { from = 0, loggedIn = false } = {},
) {
  const asked: { from: number; count: number; bytes: number }[] = [];
  const request = async (body: RequestBody) => {
    if (body.case !== "handBackRecords") throw new Error("asked for something else");
    const at = Number(body.value.from);
    const count = body.value.records?.length ?? 0;
    const { length: bytes } = toBinary(RequestSchema, create(RequestSchema, { body }));
    asked.push({ from: at, count, bytes });
    return { next: BigInt(next(at, count)) } as never;
  };
  await handBack(
    { request, serverKey: randomBytes(32) },
    {
      head,
      origin: `sotto/${"0".repeat(64)}`,
      logKey: randomBytes(32),
      from,
      loggedIn,
      records: async (at, limit) => records.slice(at, at + limit),
    },
  );
  return asked;
}

test("every record is given, in parts that fit a frame before the login", async () => {
  const asked = await handed((from, count) => from + count);
  expect(asked.reduce((sum, { count }) => sum + count, 0)).toBe(40);
  expect(asked.map(({ from }) => from)).toEqual(
    asked.map(({ from }) => from).toSorted((a, b) => a - b),
  );
  for (const { bytes } of asked) expect(bytes).toBeLessThanOrEqual(limits.frameBytesBeforeLoginMax);
  expect(await handed((from, count) => from + count, { loggedIn: true })).toHaveLength(1);
});

test("what the server holds already is not given again", async () => {
  const asked = await handed((from, count) => Math.max(30, from + count));
  expect(asked.map(({ from }) => from).slice(0, 2)).toEqual([0, 30]);
});

test("a server that loses what it held is given it again, and not for ever", async () => {
  let turns = 0;
  const asked = await handed((from, count) => (++turns === 3 ? 0 : from + count));
  expect(asked.filter(({ from }) => from === 0)).toHaveLength(2);
  expect(asked.at(-1)?.from).toBeGreaterThan(30);
  expect((await handed(() => 0)).length).toBeLessThan(10);
});

test("who has no more to give says only what was signed", async () => {
  expect(await handed(() => 40, { from: 40 })).toMatchObject([{ from: 40, count: 0 }]);
  expect(await handed(() => 40, { from: 50 })).toMatchObject([{ from: 50, count: 0 }]);
});

test("a refusal is the caller's to judge", async () => {
  const refusal = new SottoError(ErrorCode.CHAIN_CONFLICT, "it has other records");
  await expect(
    handed(() => {
      throw refusal;
    }),
  ).rejects.toBe(refusal);
});
