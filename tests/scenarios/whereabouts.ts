import type { ProfileStore, SottoClient } from "@sotto/sdk";

const wordsMax = 12;

interface Watched {
  readonly name: string;
  readonly client: SottoClient;
  readonly store: ProfileStore;
  /** What the client told last, with the time at which it did. */
  readonly words: string[];
}

const everybody = new Set<Watched>();

/** Remembers what a client tells, until it is disposed: a failed test then says where everybody stood. */
export function watch(name: string, client: SottoClient, store: ProfileStore): void {
  const watched: Watched = { name, client, store, words: [] };
  everybody.add(watched);
  void (async () => {
    for await (const event of client.live()) {
      const told =
        event.type === "notice"
          ? event.text
          : event.type === "connection"
            ? `${event.state} ${event.reason ?? ""}`
            : event.type === "ready" && "ready";
      if (!told) continue;
      watched.words.push(`${new Date().toISOString().slice(14, 23)} ${told.trim()}`);
      if (watched.words.length > wordsMax) watched.words.shift();
    }
    everybody.delete(watched);
  })();
}

/** Where everybody stands now: each one's rooms as their device keeps them, and what they were told last. */
export async function whereabouts(): Promise<string> {
  const lines = [`now ${new Date().toISOString().slice(14, 23)}`];
  for (const watched of everybody) {
    const lost = (error: unknown) => [`  cannot be read: ${error}`];
    lines.push(`${watched.name}:`, ...(await stand(watched).catch(lost)));
  }
  return lines.join("\n");
}

async function stand({ client, store, words }: Watched): Promise<string[]> {
  // Here only: every test file loads this one.
  const { parseRoomState } = await import("../../clients/sdk/src/rooms/room-state.ts");
  const unopened = client.cannotOpen > 0 ? `, could not open ${client.cannotOpen}` : "";
  const lines = [`  knows ${client.people.all().length} people${unopened}`];
  if (client.refusal) lines.push(`  refused: ${client.refusal.message}`);
  for (const { key, value } of await store.scan("rooms", { limit: 20 })) {
    const state = parseRoomState(value);
    const aside = await store.scan("aside", { prefix: `${key}/m/`, limit: 1000 });
    const outbox = await store.scan("outbox", { limit: 1000 });
    const waiting = outbox.filter((row) => row.key.split("/")[1] === key);
    const { roster, pending, given, skipped, titleOwed, rejoins } = state;
    const facts: Record<string, string | number | undefined> = {
      phase: client.rooms.list().find(({ room }) => room === key)?.phase ?? state.phase,
      cursor: state.cursor,
      "folded to": roster?.foldedTo,
      epoch: roster?.epoch,
      "epoch seen": state.epochSeen,
      devices: roster?.devices.size,
      "kept aside": aside.length,
      outbox: waiting.length,
      pending: pending?.sha256.slice(0, 8),
      given: given.map(({ sha256 }) => sha256.slice(0, 8)).join(),
      skipped: skipped.join(),
      "title owed": titleOwed,
      rejoins: rejoins.length,
      trouble: state.lostBecause,
    };
    const said = Object.entries(facts).filter(([, value]) => value);
    lines.push(
      `  ${state.title || key.slice(0, 8)}: ${said.map((fact) => fact.join(" ")).join(", ")}`,
    );
  }
  return [...lines, ...words.map((word) => `  ${word}`)];
}
