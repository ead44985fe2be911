import { systemClock } from "@sotto/clock";
import { ErrorCode, SottoError, toHex } from "@sotto/protocol";
import { expect, test } from "vitest";
import { utf8 } from "../bytes.ts";
import { LinkChannel } from "./link-channel.ts";
import { type LinkMailbox, LinkTalk } from "./link-mailbox.ts";

const secret = new Uint8Array(32).fill(5);
const never = new AbortController().signal;

/** A mailbox as the server keeps it: what stands is never replaced. */
class FakeMailbox implements LinkMailbox {
  readonly messages = new Map<number, Uint8Array>();
  readonly failures: Error[] = [];

  async put(_channel: Uint8Array, number: number, sealed: Uint8Array): Promise<void> {
    const failure = this.failures.shift();
    if (failure) throw failure;
    const there = this.messages.get(number);
    if (there && toHex(there) !== toHex(sealed))
      throw new SottoError(ErrorCode.FORBIDDEN, "another message stands there");
    this.messages.set(number, sealed);
  }

  async get(_channel: Uint8Array, number: number): Promise<Uint8Array | undefined> {
    return this.messages.get(number);
  }
}

async function talks() {
  const mailbox = new FakeMailbox();
  const talk = async () => new LinkTalk(mailbox, await LinkChannel.of(secret), systemClock);
  return { mailbox, one: await talk(), other: await talk() };
}

test("the same secret gives both sides the same channel, and another secret another one", async () => {
  const channel = await LinkChannel.of(secret);
  expect(toHex(channel.channel)).toBe(toHex((await LinkChannel.of(secret)).channel));
  expect(channel.channel).toHaveLength(16);
  const strange = await LinkChannel.of(new Uint8Array(32));
  expect(toHex(strange.channel)).not.toBe(toHex(channel.channel));
  const sealed = await channel.seal(0, utf8("hello"));
  await expect(strange.open(0, sealed)).rejects.toMatchObject({ code: "ALTERED" });
});

test("a message opens under its own number only, and not as one of the other side", async () => {
  const channel = await LinkChannel.of(secret);
  const sealed = await channel.seal(2, utf8("hello"));
  expect(await channel.open(2, sealed)).toEqual(utf8("hello"));
  for (const number of [0, 1, 3, 4])
    await expect(channel.open(number, sealed)).rejects.toMatchObject({ code: "ALTERED" });
  sealed[20] = (sealed[20] ?? 0) ^ 1;
  await expect(channel.open(2, sealed)).rejects.toMatchObject({ code: "ALTERED" });
  await expect(channel.open(2, new Uint8Array())).rejects.toMatchObject({ code: "ALTERED" });
});

test("one hears what the other says, also where it comes later or the server was away", async () => {
  const { mailbox, one, other } = await talks();
  const heard = other.hear(1, never);
  mailbox.failures.push(new SottoError(ErrorCode.UNAVAILABLE, "away"));
  await one.say(1, utf8("late"), never);
  expect(await heard).toEqual(utf8("late"));
});

test("a place that is taken, a mailbox that is gone and garbage end the link", async () => {
  const { mailbox, one, other } = await talks();
  await one.say(0, utf8("first"), never);
  await expect(other.say(0, utf8("second"), never)).rejects.toMatchObject({ code: "LINK_ENDED" });
  mailbox.failures.push(new SottoError(ErrorCode.LINK_UNKNOWN, "gone"));
  await expect(one.say(2, utf8("x"), never)).rejects.toMatchObject({ code: "LINK_ENDED" });
  mailbox.messages.set(4, new Uint8Array(60));
  await expect(other.hear(4, never)).rejects.toMatchObject({ code: "ALTERED" });
});

test("who does not want to wait any longer does not", async () => {
  const { one } = await talks();
  const stop = new AbortController();
  const heard = one.hear(1, stop.signal);
  stop.abort(new Error("enough"));
  await expect(heard).rejects.toThrow("enough");
});
