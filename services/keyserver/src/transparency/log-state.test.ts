import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toHex } from "@sotto/protocol";
import { expect, onTestFinished, test } from "vitest";
import { loadLogKey } from "./log-key.ts";
import { LogState } from "./log-state.ts";

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sotto-log-state-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

const rootOf = (byte: number) => new Uint8Array(32).fill(byte);
const head = (size: number) => ({ size, root: rootOf(size) });

test("the largest checkpoint is remembered, whatever order they are released in", async () => {
  const folder = await newFolder();
  const [one, other] = [new LogState(folder), new LogState(folder)];
  expect(await one.largest()).toBeUndefined();
  await one.release(head(9));
  await other.release(head(12));
  await one.release(head(10));
  for (const state of [one, other, new LogState(folder)])
    expect(await state.largest()).toEqual(head(12));
  expect(await readdir(join(folder, "log.state"))).toHaveLength(1);
});

test("replicas that release at the same time never take it back", async () => {
  const folder = await newFolder();
  const states = [new LogState(folder), new LogState(folder), new LogState(folder)];
  const seen: number[] = [];
  let done = false;
  const watching = (async () => {
    while (!done) seen.push((await states[0]?.largest())?.size ?? 0);
  })();
  await Promise.all(
    states.map(async (state, at) => {
      for (let size = 1; size <= 40; size++) await state.release(head(size + at));
    }),
  );
  done = true;
  await watching;
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  expect(await states[1]?.largest()).toEqual(head(42));
});

test("of two roots for one size only the first is released", async () => {
  const folder = await newFolder();
  const states = Array.from({ length: 4 }, () => new LogState(folder));
  const released = await Promise.allSettled(
    states.map((state, at) => state.release({ size: 5, root: rootOf(at) })),
  );
  expect(released.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  const refused = released.find((result) => result.status === "rejected");
  expect(refused?.reason).toMatchObject({ code: "CORRUPT" });
});

test("a damaged file is told in one line", async () => {
  const folder = await newFolder();
  const state = new LogState(folder);
  await state.release(head(3));
  await writeFile(join(folder, "log.state", "0000000000000003"), "damaged");
  await expect(state.largest()).rejects.toMatchObject({ name: "StartError", message: /damaged/ });
});

test("the marker of a restored copy is seen until it is taken away, with what it says of before", async () => {
  const folder = await newFolder();
  const state = new LogState(folder);
  expect(await state.restored()).toBeUndefined();
  await writeFile(join(folder, "restored"), "");
  expect(await state.restored()).toEqual({});
  const { root } = head(12);
  await writeFile(join(folder, "restored"), `12 ${toHex(root)}\n`);
  expect(await state.restored()).toEqual({ known: { size: 12, root } });
  for (const bad of ["12", `12 ${toHex(root)}0`, "twelve", `-1 ${toHex(root)}`]) {
    await writeFile(join(folder, "restored"), bad);
    await expect(state.restored()).rejects.toMatchObject({ name: "StartError" });
  }
  await state.forgetRestored();
  await state.forgetRestored();
  expect(await state.restored()).toBeUndefined();
});

test("the log key is made once, and never anew after it has signed", async () => {
  const folder = await newFolder();
  const made = await Promise.all([loadLogKey(folder), loadLogKey(folder), loadLogKey(folder)]);
  const [key] = made;
  for (const again of [...made, await loadLogKey(folder)])
    expect(again.publicKey).toEqual(key?.publicKey);
  await new LogState(folder).release(head(1));
  await rm(join(folder, "log.key"));
  await expect(loadLogKey(folder)).rejects.toMatchObject({ message: /log.key is missing/ });
});
