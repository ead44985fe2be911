import { expect, it } from "vitest";
import { Turns } from "./turns.ts";

it("runs so many tasks at a time, in the order in which they were given, whatever becomes of them", async () => {
  const turns = new Turns(2);
  const begun: number[] = [];
  const ends: PromiseWithResolvers<void>[] = [];
  const outcomes = [0, 1, 2, 3, 4].map((number) =>
    turns
      .run(async () => {
        begun.push(number);
        const end = Promise.withResolvers<void>();
        ends.push(end);
        await end.promise;
        return number;
      })
      .catch(() => "failed"),
  );
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  await settle();
  expect(begun).toEqual([0, 1]);
  ends[1]?.reject(new Error("one fails"));
  await settle();
  expect(begun).toEqual([0, 1, 2]);
  ends[0]?.resolve();
  ends[2]?.resolve();
  await settle();
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  ends[3]?.resolve();
  ends[4]?.resolve();
  expect(await Promise.all(outcomes)).toEqual([0, "failed", 2, 3, 4]);
  await settle();
  expect(await turns.run(async () => "free again")).toBe("free again");
});
