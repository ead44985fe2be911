import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import type { CryptoEngine, SuiteName } from "@sotto/mls";
import { join, SottoClient, type StoreChange } from "@sotto/sdk";
import { nodeSealCrypto, SqliteStore, tlsTransport } from "@sotto/sdk/node";
import { type Figures, percentiles } from "../load/figures.ts";
import { closedLoop, until } from "../load/measure.ts";
import type { Measured } from "../load/process.ts";
import { rawMessages } from "./messages.ts";
import { type OwnCost, ownCost } from "./own-cost.ts";

const textBytes = 1024;
const inFlight = 64;
/** Each waits for the answer to the one before: what a machine's disk and the way there and back allow. */
const oneAfterAnother = 1000;
const rawCount = 2000;

/** Counts the entries of history that are durable. */
class CountingStore extends SqliteStore {
  entries = 0;

  override async commit(changes: readonly StoreChange[]): Promise<void> {
    await super.commit(changes);
    this.entries += changes.filter(({ table }) => table === "history").length;
  }
}

/**
 * The same through whole clients, on a server in a process of its own: one sends a backlog while the other is away; the
 * other comes back and has it in its encrypted history, on disk. Everything that a client does is in it.
 */
export async function clientBacklog(
  server: Measured,
  suite: SuiteName,
  engine: CryptoEngine,
  count: number,
): Promise<{ readonly rows: Figures[]; readonly memory: ResidentGrowth }> {
  const folder = await mkdtemp(joinPath(tmpdir(), "sotto-bench-"));
  const home = (name: string) => joinPath(folder, name);
  const open = async (name: string, store = new SqliteStore(home(name))) =>
    await SottoClient.open({
      store,
      transport: tlsTransport,
      sealCrypto: nodeSealCrypto,
      mlsEngine: engine,
      keyPackagesTarget: 10,
    });
  const arrive = async (name: string, invite: string) => {
    await using store = new SqliteStore(home(name));
    await join({ invite, name, store, transport: tlsTransport, suite });
  };
  try {
    await arrive("alice", server.said["invite"] ?? "");
    await using alice = await open("alice");
    await alice.rooms.waitFor("general", 10_000);
    await arrive("bob", (await alice.invite()).invite);
    {
      await using bob = await open("bob");
      await bob.rooms.waitFor("general", 10_000);
    }
    const rows = await sending(alice, suite, engine, count);
    // What she would still do in the background is no part of what follows.
    await alice[Symbol.asyncDispose]();
    const store = new CountingStore(home("bob"));
    const resident = new PeakResident();
    const reading = await ownCost(async () => {
      await using _bob = await open("bob", store);
      await until("bob has the backlog", () => store.entries >= count, 600_000);
    });
    const memory = resident.end();
    const name = `client: open a backlog, ${suite}`;
    rows.push(
      figures(engine.name, name, count, reading),
      ...(await rawRows(suite, "open a backlog", [name])),
    );
    return { rows, memory };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** One client's messages: each after the answer to the one before, then several at a time. */
async function sending(
  client: SottoClient,
  suite: SuiteName,
  engine: CryptoEngine,
  count: number,
): Promise<Figures[]> {
  const text = "x".repeat(textBytes);
  const rows: Figures[] = [];
  for (const [how, width, messages] of [
    ["one after another", 1, Math.min(count, oneAfterAnother)],
    [`${inFlight} in flight`, inFlight, count],
  ] as const) {
    const latencies: number[] = [];
    const cost = await ownCost(
      async () =>
        await closedLoop(messages, width, async () => {
          const began = performance.now();
          await client.send("general", text);
          latencies.push(performance.now() - began);
        }),
    );
    const row = figures(engine.name, `client: send, ${how}, ${suite}`, messages, cost);
    rows.push({ ...row, latencyMs: percentiles(latencies) });
  }
  return [
    ...rows,
    ...(await rawRows(
      suite,
      "seal",
      rows.map((row) => row.case),
    )),
  ];
}

/** The limit of these cases, taken at the same time: what else a machine does weighs on both alike. */
async function rawRows(
  suite: SuiteName,
  what: string,
  cases: readonly string[],
): Promise<Figures[]> {
  const raw = (await rawMessages(suite, rawCount)).filter(
    (row) => row.case === `${what}, ${suite}`,
  );
  return raw.flatMap((row) => cases.map((name) => ({ ...row, case: name })));
}

function figures(engine: string, name: string, count: number, cost: OwnCost): Figures {
  return {
    server: engine,
    case: name,
    rate: count / cost.seconds,
    unit: "messages/s",
    cpuMs: (cost.cpuMs / count) * 1000,
    cpuPer: "1,000",
  };
}

/** Resident memory before a stretch of work, and the most there was in it. Bytes. */
export interface ResidentGrowth {
  readonly before: number;
  readonly peak: number;
}

class PeakResident {
  readonly #before = process.memoryUsage.rss();
  #peak = this.#before;
  readonly #timer = setInterval(() => {
    this.#peak = Math.max(this.#peak, process.memoryUsage.rss());
  }, 20);

  end(): ResidentGrowth {
    clearInterval(this.#timer);
    return { before: this.#before, peak: this.#peak };
  }
}
