import { randomInt } from "node:crypto";
import type { Suite } from "../scenarios/company.ts";

/** Set by `--long`: tests that go by chance take their time. */
export const long = process.env["SOTTO_TRUST_LONG"] === "1";

/** What a test that goes by chance begins with: `--seed`, or another one every time. Print it. */
export const seed = Number(process.env["SOTTO_TRUST_SEED"] ?? randomInt(1, 1_000_000));

const named = process.env["SOTTO_TRUST_SUITE"];

/** What the attacked rooms are encrypted by: Sotto's own default, or `--suite`. */
export const suite: Suite = suiteNamed(named ?? "x-wing");

/** Of tests with so many commits that the default would take its time, and that are about none of its algorithms. */
export const quickSuite: Suite = suiteNamed(named ?? "classical");

/** Suites of a test that runs on both, unless told otherwise. */
export const everySuite: readonly Suite[] = named ? [suite] : ["x-wing", "classical"];

function suiteNamed(name: string): Suite {
  if (name !== "x-wing" && name !== "classical") throw new RangeError(`no suite is called ${name}`);
  return name;
}
