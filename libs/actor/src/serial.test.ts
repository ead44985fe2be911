import { expect, it } from "vitest";
import { Serial } from "./serial.ts";

it("runs one task at a time, in order, also behind one that failed, and tells how many are left", async () => {
  const serial = new Serial();
  const heard: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = serial.run(async () => {
    heard.push("first begins");
    await gate.promise;
    throw new Error("the first fails");
  });
  const second = serial.run(async () => {
    heard.push("second");
    return 2;
  });
  expect(serial.size).toBe(2);
  const idle = serial.idle().then(() => heard.push("idle"));
  await new Promise((resolve) => setImmediate(resolve));
  expect(heard).toEqual(["first begins"]);
  gate.resolve();
  await expect(first).rejects.toThrow("the first fails");
  expect(await second).toBe(2);
  await idle;
  expect(heard).toEqual(["first begins", "second", "idle"]);
  expect(serial.size).toBe(0);
});
