import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import type { CryptoEngine, SuiteName } from "@sotto/mls";
import { join, SottoClient, type StoreChange } from "@sotto/sdk";
import { nodeSealCrypto, SqliteStore, tlsTransport } from "@sotto/sdk/node";
import { type Figures, percentiles } from "../load/figures.ts";
import { closedLoop, until } from "../load/measure.ts";
import type { Measured } from "../load/process.ts";
import { ownCost } from "./own-cost.ts";

const textBytes = 1024;
const inFlight = 64;

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
): Promise<Figures[]> {
  const folder = await mkdtemp(joinPath(tmpdir(), "sotto-bench-"));
  const home = (name: string) => joinPath(folder, name);
  const open = async (name: string) =>
    await SottoClient.open({
      store: new SqliteStore(home(name)),
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
    const text = "x".repeat(textBytes);
    const latencies: number[] = [];
    const sending = await ownCost(
      async () =>
        await closedLoop(count, inFlight, async () => {
          const began = performance.now();
          await alice.send("general", text);
          latencies.push(performance.now() - began);
        }),
    );
    const store = new CountingStore(home("bob"));
    const reading = await ownCost(async () => {
      await using _bob = await SottoClient.open({
        store,
        transport: tlsTransport,
        sealCrypto: nodeSealCrypto,
        mlsEngine: engine,
        keyPackagesTarget: 10,
      });
      await until("bob has the backlog", () => store.entries >= count);
    });
    const row = (what: string, cost: { seconds: number; cpuMs: number }): Figures => ({
      server: engine.name,
      case: `client: ${what}, ${suite}`,
      rate: count / cost.seconds,
      unit: "messages/s",
      cpuMs: (cost.cpuMs / count) * 1000,
      cpuPer: "1,000",
    });
    return [
      { ...row(`send, ${inFlight} in flight`, sending), latencyMs: percentiles(latencies) },
      row("open a backlog", reading),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
