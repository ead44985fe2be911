import { expect, test } from "vitest";
import { newDevice, signs, TestPerson } from "../test/person.ts";
import { acceptDevice } from "./accept-device.ts";
import { Directory } from "./directory.ts";
import { addDeviceRecord } from "./write-record.ts";

test("a device accepts elsewhere what the record then carries, and no other place", async () => {
  const directory = new Directory();
  const alice = await TestPerson.named("alice");
  await directory.apply(await alice.create());
  const phone = await newDevice();
  const place = alice.place();
  const counter = await acceptDevice(place, phone.description, phone.signer);
  const carrying = { publicKey: phone.description.sign, sign: async () => counter };
  const record = (at: number) =>
    addDeviceRecord({ ...place, at }, phone.description, carrying, signs(alice.first));
  await expect(directory.apply(await record(place.at + 1))).rejects.toMatchObject({
    code: "SIGNATURE",
  });
  await directory.apply(await record(place.at));
  expect(directory.device(phone.id)?.user).toBe(alice.user);
});
