import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cryptoFigures } from "./crypto/main.ts";
import { footprint } from "./footprint.ts";
import { type Figures, table } from "./load/figures.ts";
import { type Measured, pinGenerator, startMeasured } from "./load/process.ts";
import { direct } from "./scenarios/direct.ts";
import { media } from "./scenarios/media.ts";
import { room } from "./scenarios/room.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { store } from "./scenarios/store.ts";

const scenarios: Readonly<Record<string, Scenario>> = { direct, room, store, media };

const help = `Usage: npm run bench -- direct|room|store|media|crypto|footprint [--quick] [--json FILE]

Runs the embedded server beside a raw Node TLS relay in one run, each in a process of its own,
and tells what the server's CPU costs for each unit of work. Messages are random bytes: the
server cannot tell them from sealed ones.

crypto measures clients instead of the server: sealing, opening a backlog and joining a room of 128
devices with every engine, beside AES-GCM and Ed25519 alone; then sending and opening through whole
clients. CPU is this process's own, and rates by CPU time are what an idle core would do.

footprint starts the whole stack on containers instead, and tells what it holds and takes while
nobody does anything; it ends with 1 where that is over the budget of 400 MB.

  --quick      a tenth of the work
  --json FILE  the figures as JSON too`;

/** Rates are limited for people, not for load generators. */
const limits = [
  "appendsPerSecond=1000000",
  "appendBurst=1000000",
  "connectionsBeforeLoginPerAddressMax=1000",
];

/** The embedded server on a folder of its own, which goes with it. */
async function startSotto(): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), "sotto-bench-"));
  const server = join(import.meta.dirname, "..", "infra", "embedded", "src", "main.ts");
  const flags = [
    "--json-logs",
    "--port",
    "0",
    "--data",
    folder,
    ...limits.flatMap((limit) => ["--limit", limit]),
  ];
  const started = await startMeasured("sotto", [server, ...flags]);
  return {
    ...started,
    async [Symbol.asyncDispose]() {
      await started[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function run(name: string, scenario: Scenario, quick: boolean): Promise<Figures[]> {
  await using relay = await startMeasured("raw TLS relay", [join(import.meta.dirname, "relay.ts")]);
  await using sotto = await startSotto();
  const rows = await scenario({ sotto, relay, quick });
  process.stdout.write(`\n${name}\n${table(rows)}\n`);
  process.stdout.write(
    `server memory: ${Math.round(sotto.residentBytes() / 2 ** 20)} MiB resident\n`,
  );
  return rows;
}

async function runCrypto(quick: boolean): Promise<Figures[]> {
  const { rows, notes } = await cryptoFigures(startSotto, quick);
  process.stdout.write(`\ncrypto\n${table(rows, "engine")}\n${notes.join("\n")}\n`);
  return rows;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean" }, json: { type: "string" }, help: { type: "boolean" } },
});
const names = positionals.length > 0 ? positionals : [...Object.keys(scenarios), "crypto"];
const known = [...Object.keys(scenarios), "crypto", "footprint"];
const unknown = names.filter((name) => !known.includes(name));
if (values.help || unknown.length > 0) {
  process.stdout.write(`${help}\n`);
  process.exit(values.help ? 0 : 2);
}
if (names.includes("footprint")) {
  const { rows, withinBudget } = await footprint((line) => void process.stdout.write(`${line}\n`));
  if (values.json) await writeFile(values.json, `${JSON.stringify({ rows }, undefined, 2)}\n`);
  process.exit(withinBudget ? 0 : 1);
}
const pinned = pinGenerator();
process.stdout.write(
  `Node ${process.version}, ${cpus().length} cores, ${pinned ? "servers on one, generator on another" : "not pinned"}; limits: ${limits.join(", ")}\n`,
);
const results: Record<string, Figures[]> = {};
for (const name of names) {
  const scenario = scenarios[name];
  if (name === "crypto") results[name] = await runCrypto(values.quick === true);
  if (scenario) results[name] = await run(name, scenario, values.quick === true);
}
if (values.json)
  await writeFile(
    values.json,
    `${JSON.stringify({ node: process.version, limits, results }, undefined, 2)}\n`,
  );
process.exit(0);
