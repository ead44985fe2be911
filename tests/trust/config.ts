import { randomInt } from "node:crypto";

/** Set by `--long`: tests that go by chance take their time. */
export const long = process.env["SOTTO_TRUST_LONG"] === "1";

/** What a test that goes by chance begins with: `--seed`, or another one every time. Print it. */
export const seed = Number(process.env["SOTTO_TRUST_SEED"] ?? randomInt(1, 1_000_000));
