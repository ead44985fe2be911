import { once } from "node:events";
import { connect } from "node:tls";
import { decodeRecord, FrameDecoder, FrameType, toHex } from "@sotto/protocol";
import type { Transport } from "@sotto/sdk";
import { tlsTransport } from "@sotto/sdk/node";
import { type Container, docker, metricOf, type Stack } from "../compose/stack.ts";
import { type Company, type Joined, texts, until } from "../scenarios/company.ts";
import { pause } from "./load.ts";

const frameBytesMax = 64 * 1024 * 1024;

/** A transport that notes which records of a room reached its socket. */
class TappedTransport implements Transport {
  readonly records: { readonly room: string; readonly sequence: number }[] = [];

  connect(...[address, events, signal]: Parameters<Transport["connect"]>) {
    const decoder = new FrameDecoder({ frameBytesMax });
    const data = (bytes: Uint8Array) => {
      for (const frame of decoder.push(bytes.slice())) {
        if (frame.type !== FrameType.record) continue;
        const { room, sequence } = decodeRecord(frame);
        this.records.push({ room: toHex(room), sequence: Number(sequence) });
      }
      events.data(bytes);
    };
    return tlsTransport.connect(address, { ...events, data }, signal);
  }
}

/**
 * Somebody is removed from a room while the edge that holds their connection is struck by `fault`. Answers how many
 * records of the room came to their socket that were stored after the removal.
 */
export async function removedMember(
  stack: Stack,
  company: Company,
  invite: () => Promise<string>,
  fault: (edge: Container, removal: () => Promise<void>) => Promise<void>,
): Promise<{ readonly leaked: number; readonly removed: boolean }> {
  const suffix = Math.random().toString(36).slice(2, 8);
  const remover = await arrive(stack, company, `rita${suffix}`, await invite());
  const tap = new TappedTransport();
  let removed = await arrive(stack, company, `max${suffix}`, await invite(), tap);
  // The two must sit on two edges. Others take the places of the one that has fewest, as long as it takes.
  await using others = new AsyncDisposableStack();
  for (let attempt = 0; removed.edge.id === remover.edge.id; attempt++) {
    if (attempt === 20) throw new Error("both connections always come to the same edge");
    await removed.person[Symbol.asyncDispose]();
    await pause(700);
    for (let i = 0; i < 3; i++) {
      const other = connect({ host: "127.0.0.1", port: stack.port, rejectUnauthorized: false });
      other.on("error", () => {});
      others.defer(async () => void other.destroy());
      await once(other, "secureConnect");
    }
    removed = await reopen(stack, company, removed.person, tap);
  }
  const title = `room ${suffix}`;
  const { room } = await remover.person.client.rooms.create(title);
  await remover.person.client.rooms.add(title, removed.person.name);
  await removed.person.client.rooms.waitFor(title, 10_000);
  await remover.person.client.send(title, "before");
  await until("the member hears", async () => (await texts(removed.person)).includes("before"));
  let removedAt = Number.POSITIVE_INFINITY;
  await fault(removed.edge, async () => {
    removedAt = await remover.person.client.rooms.remove(title, removed.person.name);
    for (let i = 0; i < 5; i++) await remover.person.client.send(title, `after ${i}`);
  });
  // Longer than a confirmation is valid.
  await pause(12_000);
  for (let i = 5; i < 8; i++) await remover.person.client.send(title, `after ${i}`);
  await pause(2000);
  const leaked = tap.records.filter(
    (record) => record.room === room && record.sequence > removedAt,
  ).length;
  const gone = !removed.person.client.rooms
    .list()
    .some((view) => view.room === room && view.phase === "active");
  await removed.person[Symbol.asyncDispose]();
  await remover.person[Symbol.asyncDispose]();
  return { leaked, removed: gone };
}

interface Placed {
  readonly person: Joined;
  readonly edge: Container;
}

async function arrive(
  stack: Stack,
  company: Company,
  name: string,
  invite: string,
  transport: Transport = tlsTransport,
): Promise<Placed> {
  const arrived = await company.arrive(name, invite, { quiet: true });
  await arrived.client.online(30_000);
  await arrived[Symbol.asyncDispose]();
  await pause(700);
  return await reopen(stack, company, arrived, transport);
}

/** Connects, and finds out by whose count it was. */
async function reopen(
  stack: Stack,
  company: Company,
  { name, store }: Joined,
  transport: Transport,
): Promise<Placed> {
  const before = await connections(stack);
  const person = await company.open(name, store, { quiet: true, transport });
  await person.client.online(30_000);
  const after = await connections(stack);
  const grown = [...after].filter(([id, count]) => count > (before.get(id) ?? 0));
  const [id] = grown[0] ?? [];
  const edge = (await stack.containers("tcp-edge")).find((container) => container.id === id);
  if (grown.length === 1 && edge) return { person, edge };
  // Somebody else moved at the same time.
  await person[Symbol.asyncDispose]();
  await pause(1000);
  return await reopen(stack, company, { ...person, name, store }, transport);
}

async function connections(stack: Stack): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const edge of await stack.containers("tcp-edge")) {
    const running = (await docker("inspect", "--format", "{{.State.Running}}", edge.id)).trim();
    const page = running === "true" ? await stack.metrics(edge) : "";
    counts.set(edge.id, metricOf(page, "sotto_tcp_edge_connections") ?? 0);
  }
  return counts;
}
