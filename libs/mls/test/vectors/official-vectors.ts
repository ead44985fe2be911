import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type CiphersuiteImpl,
  defaultCryptoProvider,
  getCiphersuiteImpl,
} from "ts-mls";
import { type CiphersuiteId, getCiphersuiteFromId } from "ts-mls/crypto/ciphersuite.js";
import { expect, test } from "vitest";
import { suiteOf } from "../../src/engine/engine-suite.ts";
import { engines } from "../engines.ts";
import { long, vectorsFolder, vectorsPresent, vectorsRequired } from "./config.ts";

/** The suite of the vectors that our engines have; X-Wing is in none of them. */
const ours = 1;
/** Suites whose algorithms the library has by itself: they check what is the same for every suite. */
const libraryOnly = [2, 5, 7];

export const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));

/** The values of one file of vectors. */
export function readVectors<Vector>(file: string): Vector[] {
  return JSON.parse(readFileSync(join(vectorsFolder, `${file}.json`), "utf8")) as Vector[];
}

interface Way {
  readonly name: string;
  readonly suites: readonly number[];
  load(suite: number): Promise<CiphersuiteImpl>;
}

/** Our engines, then the library's own algorithms. */
const ways: readonly Way[] = [
  ...engines.map(
    (engine): Way => ({
      name: `the ${engine.name} engine`,
      suites: [ours],
      load: async (suite) => suiteOf(engine, getCiphersuiteFromId(suite as CiphersuiteId)),
    }),
  ),
  {
    name: "the library's algorithms of other suites",
    suites: libraryOnly,
    load: (suite) =>
      getCiphersuiteImpl(getCiphersuiteFromId(suite as CiphersuiteId), defaultCryptoProvider),
  },
];

/** All vectors of our suite run with every engine; slow ones of other suites only with `--long`. */
export function describeVectors<Vector extends { readonly cipher_suite: number }>(
  file: string,
  check: (vector: Vector, cs: CiphersuiteImpl) => Promise<void>,
  options: { readonly slow?: boolean } = {},
): void {
  for (const way of ways) {
    if (options.slow && !way.suites.includes(ours) && !long) continue;
    const all = vectorsPresent ? readVectors<Vector>(file) : [];
    const mine = all.filter((vector) => way.suites.includes(vector.cipher_suite));
    if (vectorsPresent && mine.length === 0) continue;
    testVectors(`${file}: ${way.name}`, async () => {
      for (const vector of mine) await check(vector, await way.load(vector.cipher_suite));
      return { passed: mine.length, of: all.length };
    });
  }
}

/** A test of vectors that says how many there were. */
export function testVectors(
  name: string,
  run: () => Promise<{ readonly passed: number; readonly of: number }>,
): void {
  test.skipIf(!vectorsPresent && !vectorsRequired)(
    name,
    async () => {
      expect(vectorsPresent, `the official vectors are not in ${vectorsFolder}`).toBe(true);
      const { passed, of } = await run();
      process.stdout.write(`${name}: ${passed} of ${of} vectors\n`);
    },
    600_000,
  );
}

if (!vectorsPresent)
  process.stdout.write(`the official vectors are not in ${vectorsFolder}: nothing is checked\n`);
