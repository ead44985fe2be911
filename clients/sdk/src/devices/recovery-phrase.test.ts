import { wordlist } from "@scure/bip39/wordlists/english.js";
import { toHex } from "@sotto/protocol";
import { expect, test } from "vitest";
import { newPhrase, parsePhrase, recoveryDevice } from "./recovery-phrase.ts";

const server = new Uint8Array(32).fill(7);

test("a phrase has 24 words of the list, and reads back however it is typed", () => {
  const phrase = newPhrase();
  const words = phrase.words.split(" ");
  expect(words).toHaveLength(24);
  expect(words.every((word) => wordlist.includes(word))).toBe(true);
  const typed = ` ${words.join("\n ").toUpperCase()}\t`;
  expect(parsePhrase(typed)).toEqual(phrase);
  expect(newPhrase().words).not.toBe(phrase.words);
});

test("the phrase of BIP-39's own vectors stands for its entropy", () => {
  const zero = `${"abandon ".repeat(23)}art`;
  expect(toHex(parsePhrase(zero).entropy)).toBe("00".repeat(32));
  const full = `${"zoo ".repeat(23)}vote`;
  expect(toHex(parsePhrase(full).entropy)).toBe("ff".repeat(32));
});

test("what is no phrase is refused, with what is wrong about it", () => {
  const words = `${"abandon ".repeat(23)}art`.split(" ");
  const refuses = (text: string, why: string) =>
    expect(() => parsePhrase(text)).toThrow(
      expect.objectContaining({ code: "BAD_PHRASE", message: expect.stringContaining(why) }),
    );
  refuses("", "24 words, not 0");
  refuses(words.slice(1).join(" "), "24 words, not 23");
  refuses(words.with(3, "abandom").join(" "), '"abandom"');
  refuses(words.with(3, "ability").join(" "), "one of them");
  refuses(words.toReversed().join(" "), "one of them");
});

test("its keys are the same every time, and others on another server or in another suite", async () => {
  const phrase = parsePhrase(`${"zoo ".repeat(23)}vote`);
  const device = await recoveryDevice(phrase, server, "x-wing");
  expect(await recoveryDevice(phrase, server, "x-wing")).toMatchObject({
    description: device.description,
    secrets: device.secrets,
  });
  const others = [
    await recoveryDevice(phrase, new Uint8Array(32).fill(8), "x-wing"),
    await recoveryDevice(phrase, server, "classical"),
  ];
  const all = [device, ...others].flatMap(({ description: { id, auth, sign, mls, seal } }) => [
    id,
    ...[auth, sign, mls, seal].map((key) => toHex(key)),
  ]);
  expect(new Set(all).size).toBe(15);
});

test("the keys of a phrase stay what they are: paper must serve for decades", async () => {
  const { description } = await recoveryDevice(
    parsePhrase(`${"abandon ".repeat(23)}art`),
    server,
    "x-wing",
  );
  const { id, auth, sign, mls, seal } = description;
  expect([id, toHex(auth), toHex(sign), toHex(mls), toHex(seal.subarray(0, 32))]).toEqual([
    "0dcb16139f269df5e53aa1f44eec61e5",
    "6077a9e5d43e4839a1d7399f2494cd53062cd1b9586e6bb078aaf01128b34697",
    "cc0d012c6d3e86edf40d298eb86bacb0ff8ccd3af0de8aae0fd7d27d35a7fca2",
    "3e12309fdbf8f2b9adba87719e632c8cc9dc6d256dc05f65c388583c945a363d",
    "f465637393951c339d4f04ac258bcd3aaa3b34ca9344d4650818515f53988814",
  ]);
});
