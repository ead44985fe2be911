import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logIn, owner, people } from "../load/account.ts";
import type { Figures } from "../load/figures.ts";
import { closedLoop, stretch, until } from "../load/measure.ts";
import { append, makeRoom, subscribe } from "../load/rooms.ts";
import type { Scenario } from "./scenario.ts";

const messageBytes = 1024;
const inFlight = 256;

/** W4: store for somebody who is away, then deliver on return. The raw limit appends and syncs a file. */
export const store: Scenario = async ({ sotto, quick }) => {
  const messages = quick ? 5000 : 30_000;
  const boss = await owner(sotto, sotto.said["invite"] ?? "");
  const [one, other] = await people(sotto, boss, 2);
  if (!one || !other) throw new Error("too few accounts");
  const sender = await logIn(sotto, one);
  const made = await makeRoom(sender, [one, other], 3);
  const body = crypto.getRandomValues(new Uint8Array(messageBytes));
  await closedLoop(1000, inFlight, () => append(sender, made, body));
  const stored = await stretch(sotto, () =>
    closedLoop(messages, inFlight, () => append(sender, made, body)),
  );
  let received = 0;
  const back = await logIn(sotto, other, { record: ({ kind }) => void (kind === 2 && received++) });
  const delivered = await stretch(sotto, async () => {
    await subscribe(back, made);
    await until("the backlog", () => received >= messages + 1000);
  });
  const per = (cpuMs: number, count: number) => (cpuMs / count) * 1000;
  const name = sotto.name;
  return [
    await rawAppends(messages),
    {
      server: name,
      case: `store, ${inFlight} in flight`,
      rate: messages / stored.seconds,
      unit: "acknowledged/s",
      cpuMs: per(stored.cpuMs, messages),
      cpuPer: "1,000",
    },
    {
      server: name,
      case: "deliver the backlog",
      rate: received / delivered.seconds,
      unit: "delivered/s",
      cpuMs: per(delivered.cpuMs, received),
      cpuPer: "1,000",
    },
  ];
};

/** Append and fdatasync of as many records at once, in this process. */
async function rawAppends(messages: number): Promise<Figures> {
  const folder = await mkdtemp(join(tmpdir(), "sotto-bench-"));
  try {
    const file = await open(join(folder, "raw"), "a");
    const batch = Buffer.alloc(inFlight * messageBytes, 1);
    const before = process.cpuUsage();
    const began = performance.now();
    for (let done = 0; done < messages; done += inFlight) {
      await file.write(batch);
      await file.datasync();
    }
    const seconds = (performance.now() - began) / 1000;
    const { user, system } = process.cpuUsage(before);
    await file.close();
    const cpuMs = ((user + system) / 1000 / messages) * 1000;
    return {
      server: "raw append + fdatasync",
      case: `store, ${inFlight} in flight`,
      rate: messages / seconds,
      unit: "acknowledged/s",
      cpuMs,
      cpuPer: "1,000",
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
