import { logIn, owner, people } from "../load/account.ts";
import type { Figures } from "../load/figures.ts";
import { closedLoop, stretch, until } from "../load/measure.ts";
import type { Measured } from "../load/process.ts";
import { RelayClient } from "../load/relay-client.ts";
import { append, makeRoom, subscribe } from "../load/rooms.ts";
import type { Scenario } from "./scenario.ts";

const members = 200;
const messageBytes = 1024;
const inFlight = 8;

/** W2: one room of 200 members; every message goes to everybody. */
export const room: Scenario = async ({ sotto, relay, quick }) => {
  const messages = quick ? 200 : 2000;
  return [await relayRoom(relay, messages), await sottoRoom(sotto, messages)];
};

function figures(
  server: Measured,
  deliveries: number,
  { seconds, cpuMs }: { seconds: number; cpuMs: number },
): Figures {
  const cpuPer1000 = (cpuMs / deliveries) * 1000;
  return {
    server: server.name,
    case: `room of ${members}`,
    rate: deliveries / seconds,
    unit: "deliveries/s",
    cpuMs: cpuPer1000,
    cpuPer: "1,000",
  };
}

async function relayRoom(relay: Measured, messages: number): Promise<Figures> {
  const clients = await Promise.all(
    Array.from({ length: members }, () => RelayClient.open(relay.port)),
  );
  const [sender, ...others] = clients as [RelayClient, ...RelayClient[]];
  let deliveries = 0;
  let heard: () => void = () => {};
  for (const other of others) {
    other.onFrame = () => {
      deliveries++;
      heard();
    };
  }
  const body = crypto.getRandomValues(new Uint8Array(messageBytes));
  const send = async (count: number) => {
    const base = deliveries;
    let sent = 0;
    await new Promise<void>((resolve) => {
      const push = () => {
        while (
          sent < count &&
          sent * others.length - (deliveries - base) < inFlight * others.length
        ) {
          sender.send(0, body);
          sent++;
        }
        if (deliveries - base >= count * others.length) resolve();
      };
      heard = push;
      push();
    });
  };
  await send(20);
  const cost = await stretch(relay, () => send(messages));
  return figures(relay, messages * others.length, cost);
}

async function sottoRoom(sotto: Measured, messages: number): Promise<Figures> {
  const boss = await owner(sotto, sotto.said["invite"] ?? "");
  const accounts = await people(sotto, boss, members);
  const [maker, ...others] = accounts;
  if (!maker) throw new Error("too few accounts");
  const sender = await logIn(sotto, maker);
  const made = await makeRoom(sender, accounts, accounts.length + 1);
  let deliveries = 0;
  for (const other of others) {
    const connection = await logIn(sotto, other, {
      record: ({ kind }) => void (kind === 2 && deliveries++),
    });
    await subscribe(connection, made);
  }
  const body = crypto.getRandomValues(new Uint8Array(messageBytes));
  const send = async (count: number) => {
    const wanted = deliveries + count * others.length;
    await closedLoop(count, inFlight, () => append(sender, made, body));
    await until("all deliveries", () => deliveries >= wanted);
  };
  await send(20);
  const cost = await stretch(sotto, () => send(messages));
  return figures(sotto, messages * others.length, cost);
}
