import { fromHex, limits, ObjectKind, parseObjectId } from "@sotto/protocol";
import { logIn, owner, people } from "../load/account.ts";
import { type Figures, percentiles } from "../load/figures.ts";
import { stretch } from "../load/measure.ts";
import type { Measured } from "../load/process.ts";
import { RelayClient } from "../load/relay-client.ts";
import { makeRoom } from "../load/rooms.ts";
import type { Scenario } from "./scenario.ts";

/** W5: one large sealed object, uploaded, watched through, and jumped about in. */
export const media: Scenario = async ({ sotto, relay, quick }) => {
  const megabytes = quick ? 64 : 256;
  return [await relayStream(relay, megabytes), ...(await sottoStream(sotto, megabytes))];
};

function figures(
  server: Measured,
  name: string,
  megabytes: number,
  cost: { seconds: number; cpuMs: number },
): Figures {
  return {
    server: server.name,
    case: name,
    rate: megabytes / cost.seconds,
    unit: "MiB/s",
    cpuMs: (cost.cpuMs / megabytes) * 953.67,
    cpuPer: "GB",
  };
}

async function relayStream(relay: Measured, megabytes: number): Promise<Figures> {
  const client = await RelayClient.open(relay.port);
  client.socket.removeAllListeners("data");
  const run = (count: number) =>
    new Promise<void>((resolve) => {
      let left = count * 1024 * 1024;
      client.socket.on("data", (data: Buffer) => {
        left -= data.length;
        if (left > 0) return;
        client.socket.removeAllListeners("data");
        resolve();
      });
      const request = Buffer.alloc(6);
      request.writeUInt32BE(count);
      request.writeUInt16BE(0xffff, 4);
      client.socket.write(request);
    });
  await run(8);
  return figures(relay, "watch", megabytes, await stretch(relay, () => run(megabytes)));
}

async function sottoStream(sotto: Measured, megabytes: number): Promise<Figures[]> {
  const boss = await owner(sotto, sotto.said["invite"] ?? "");
  const [one] = await people(sotto, boss, 1);
  if (!one) throw new Error("too few accounts");
  const connection = await logIn(sotto, one);
  const { room } = await makeRoom(connection, [one], 2);
  const object = fromHex(parseObjectId(crypto.getRandomValues(new Uint8Array(16))));
  const sealedBytes = megabytes * 1024 * 1024;
  await connection.request(
    {
      case: "createObject",
      value: { room, object, kind: ObjectKind.FILE, sealedBytes: BigInt(sealedBytes) },
    },
    "objectInfo",
  );
  const data = crypto.getRandomValues(new Uint8Array(65_536));
  const piece = new Uint8Array(limits.pieceBytes);
  for (let at = 0; at < piece.length; at += data.length) piece.set(data, at);
  const uploaded = await stretch(sotto, async () => {
    const inFlight: Promise<unknown>[] = [];
    for (let number = 0; number < megabytes; number++) {
      const value = { room, object, piece: number, bytes: piece.length };
      inFlight.push(connection.upload({ case: "putPiece", value }, piece, "pieceStored"));
      if (inFlight.length >= 3) await inFlight.shift();
    }
    await Promise.all(inFlight);
  });
  const read = async (offset: number, length: number, first?: () => void) => {
    const { bytes } = await connection.download(
      (credit) => ({
        case: "openObject",
        value: { room, object, offset: BigInt(offset), length: BigInt(length), credit },
      }),
      "objectOpened",
    );
    for await (const part of bytes) if (part.length > 0) first?.();
  };
  await read(0, Math.min(sealedBytes, 8 * 1024 * 1024));
  const watched = await stretch(sotto, () => read(0, sealedBytes));
  const firsts: number[] = [];
  for (let i = 0; i < 100; i++) {
    const began = performance.now();
    let heard = false;
    await read(Math.floor(Math.random() * (sealedBytes - 1024 * 1024)), 1024 * 1024, () => {
      if (!heard) firsts.push(performance.now() - began);
      heard = true;
    });
  }
  return [
    figures(sotto, "watch", megabytes, watched),
    figures(sotto, "upload", megabytes, uploaded),
    {
      server: sotto.name,
      case: "jump, 1 MiB",
      rate: firsts.length,
      unit: "jumps",
      cpuMs: Number.NaN,
      cpuPer: "GB",
      latencyMs: percentiles(firsts),
    },
  ];
}
