import type { Connection } from "../../clients/sdk/src/connection/connection.ts";
import { logIn, owner, people } from "../load/account.ts";
import { type Figures, percentiles } from "../load/figures.ts";
import { closedLoop, openLoop, stretch, until } from "../load/measure.ts";
import type { Measured } from "../load/process.ts";
import { RelayClient } from "../load/relay-client.ts";
import { append, type BenchRoom, makeRoom, subscribe } from "../load/rooms.ts";
import type { Scenario } from "./scenario.ts";

const pairs = 50;
const messageBytes = 1024;
const inFlight = 64;
const perSecond = 500;

/** One way to send a message of pair `i` and hear when it arrived. */
interface Line {
  send(i: number, body: Uint8Array): Promise<void> | void;
  onArrived(listener: (i: number, body: Uint8Array) => void): void;
}

/** W1: direct messages of 1 KiB among 50 pairs, acknowledged and delivered. */
export const direct: Scenario = async ({ sotto, relay, quick }) => [
  ...(await measure(relay, await relayLine(relay), quick)),
  ...(await measure(sotto, await sottoLine(sotto), quick)),
];

async function measure(server: Measured, line: Line, quick: boolean): Promise<Figures[]> {
  const total = quick ? 4000 : 40_000;
  let arrived = 0;
  const latencies: number[] = [];
  const waiting = new Map<number, () => void>();
  line.onArrived((_, body) => {
    arrived++;
    const view = new DataView(body.buffer, body.byteOffset);
    const sentAt = view.getFloat64(0);
    if (sentAt > 0) latencies.push(performance.now() - sentAt);
    const done = waiting.get(view.getUint32(8));
    waiting.delete(view.getUint32(8));
    done?.();
  });
  const body = (number: number, timed: boolean) => {
    const bytes = crypto.getRandomValues(new Uint8Array(messageBytes));
    const view = new DataView(bytes.buffer);
    view.setFloat64(0, timed ? performance.now() : 0);
    view.setUint32(8, number);
    return bytes;
  };
  const once = async (i: number) => {
    const received = new Promise<void>((resolve) => waiting.set(i, resolve));
    await Promise.all([line.send(i % pairs, body(i, false)), received]);
  };
  await closedLoop(Math.min(2000, total / 4), inFlight, once);
  const closed = await stretch(server, () => closedLoop(total, inFlight, once));
  arrived = 0;
  const seconds = quick ? 3 : 10;
  const open = await stretch(server, async () => {
    await openLoop(perSecond, seconds, (i) => void line.send(i % pairs, body(1_000_000 + i, true)));
    await until("all messages", () => arrived >= perSecond * seconds, 20_000);
  });
  const per = (cpuMs: number, count: number) => (cpuMs / count) * 1000;
  return [
    {
      server: server.name,
      case: `${inFlight} in flight`,
      rate: total / closed.seconds,
      unit: "/s",
      cpuMs: per(closed.cpuMs, total),
      cpuPer: "1,000",
    },
    {
      server: server.name,
      case: `${perSecond}/s`,
      rate: perSecond,
      unit: "/s",
      cpuMs: per(open.cpuMs, perSecond * seconds),
      cpuPer: "1,000",
      latencyMs: percentiles(latencies),
    },
  ];
}

async function relayLine(relay: Measured): Promise<Line> {
  const clients = await Promise.all(
    Array.from({ length: 2 * pairs }, () => RelayClient.open(relay.port)),
  );
  return {
    send: (i, body) => clients[2 * i]?.send(clients[2 * i + 1]?.number ?? 0, body),
    onArrived(listener) {
      for (let i = 0; i < pairs; i++) {
        const receiver = clients[2 * i + 1];
        if (receiver) receiver.onFrame = (body) => listener(i, body);
      }
    },
  };
}

async function sottoLine(sotto: Measured): Promise<Line> {
  const boss = await owner(sotto, sotto.said["invite"] ?? "");
  const accounts = await people(sotto, boss, 2 * pairs);
  let listener: (i: number, body: Uint8Array) => void = () => {};
  const lines: { readonly sender: Connection; readonly room: BenchRoom }[] = [];
  for (let i = 0; i < pairs; i++) {
    const [one, other] = accounts.slice(2 * i, 2 * i + 2);
    if (!one || !other) throw new Error("too few accounts");
    const sender = await logIn(sotto, one);
    const room = await makeRoom(sender, [one, other], accounts.length + 1);
    // A record's data is a StoredMessage: the sealed bytes stand at its end.
    const receiver = await logIn(sotto, other, {
      record: ({ kind, data }) => kind === 2 && listener(i, data.subarray(-messageBytes)),
    });
    await subscribe(receiver, room);
    lines.push({ sender, room });
  }
  return {
    async send(i, body) {
      const line = lines[i];
      if (line) await append(line.sender, line.room, body);
    },
    onArrived(take) {
      listener = (i, body) => take(i, body.slice());
    },
  };
}
