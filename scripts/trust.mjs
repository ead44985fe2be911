// Runs the attack tests, all or by name: npm run test:trust -- forked-log stale-head
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runVitest } from "./vitest.mjs";

const root = join(import.meta.dirname, "..");
const usage = `usage: npm run test:trust -- [name…] [--long] [--seed <number>] [--suite <name>] [--list]

  name     which tests; all where none is named
  --long   random-history runs for ten minutes instead of thirty seconds
  --seed   repeats what a test that goes by chance has printed
  --suite  x-wing or classical: what all attacked rooms are encrypted by. Without it x-wing, both for
           random-history, and classical for the many commits of commit-race and crash-at-every-write
  --list   prints the names
`;

/** Names and where they are. */
function tests() {
  const found = new Map();
  for (const file of readdirSync(join(root, "tests", "trust")).sort())
    if (file.endsWith(".test.ts")) found.set(file.slice(0, -8), `tests/trust/${file}`);
  const vectors = "libs/mls/test/vectors";
  if (existsSync(join(root, vectors))) found.set("vectors", `${vectors}/`);
  return found;
}

/** Ends the run in plain words where the official vectors are not there: nothing would be checked. */
function wantVectors() {
  const folder = process.env.MLS_VECTORS ?? join(root, "..", "shared", "vectors", "mls");
  if (existsSync(folder)) return;
  process.stderr.write(`the official test vectors of MLS are not in ${folder}

They are data of others and not part of this project. Get the folder test-vectors of
https://github.com/mlswg/mls-implementations, and say where it is:

  MLS_VECTORS=<folder> npm run test:trust -- vectors
`);
  process.exit(1);
}

function refuse(why) {
  process.stderr.write(
    `${why}\n\n${usage}\nnames:\n${[...tests().keys()].map((name) => `  ${name}\n`).join("")}`,
  );
  process.exit(2);
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        long: { type: "boolean", default: false },
        list: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
        seed: { type: "string" },
        suite: { type: "string" },
      },
    });
  } catch (error) {
    return refuse(error.message);
  }
}

const { values, positionals } = readArguments();
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}
const known = tests();
if (values.list) {
  process.stdout.write([...known.keys()].map((name) => `${name}\n`).join(""));
  process.exit(0);
}
const unknown = positionals.filter((name) => !known.has(name));
if (unknown.length > 0) refuse(`no test is called ${unknown.join(", ")}`);
if (values.seed !== undefined && !/^\d{1,9}$/.test(values.seed)) refuse("--seed wants a number");
if (values.suite !== undefined && !["x-wing", "classical"].includes(values.suite))
  refuse("--suite wants x-wing or classical");
if (positionals.includes("vectors")) wantVectors();
runVitest(
  positionals.map((name) => known.get(name)),
  {
    SOTTO_TEST_SUITE: "trust",
    ...(values.long ? { SOTTO_TRUST_LONG: "1" } : {}),
    ...(values.suite ? { SOTTO_TRUST_SUITE: values.suite } : {}),
    ...(values.seed ? { SOTTO_TRUST_SEED: values.seed } : {}),
  },
);
