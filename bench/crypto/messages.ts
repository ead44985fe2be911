import { createCipheriv, createDecipheriv, generateKeyPairSync, sign, verify } from "node:crypto";
import type { CryptoEngine, SuiteName } from "@sotto/mls";
import { type Figures, percentiles } from "../load/figures.ts";
import { cast } from "./cast.ts";
import { type OwnCost, ownCost } from "./own-cost.ts";

const messageBytes = 1024;
const additional = new Uint8Array(32);
const roomDevices = 8;

/** Seals and opens a backlog with one engine. */
export async function messages(
  suite: SuiteName,
  engine: CryptoEngine,
  count: number,
): Promise<Figures[]> {
  const { founder, join } = await cast(suite, roomDevices, engine);
  const reader = await join(engine);
  const body = crypto.getRandomValues(new Uint8Array(messageBytes));
  // Warm: as a client is that runs for a while.
  for (let i = 0; i < 300; i++) await reader.open((await founder.seal(body, additional)).sealed);
  const sealed: Uint8Array[] = [];
  const latencies: number[] = [];
  const sealing = await ownCost(async () => {
    for (let i = 0; i < count; i++) {
      const began = performance.now();
      sealed.push((await founder.seal(body, additional)).sealed);
      latencies.push(performance.now() - began);
    }
  });
  const opening = await ownCost(async () => {
    for (const message of sealed) await reader.open(message);
  });
  return [
    { ...row(engine.name, "seal", suite, count, sealing), latencyMs: percentiles(latencies) },
    row(engine.name, "open a backlog", suite, count, opening),
  ];
}

/** AES-256-GCM and Ed25519 of the same bytes by node:crypto, and nothing else: the limit. */
export async function rawMessages(suite: SuiteName, count: number): Promise<Figures[]> {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const key = crypto.getRandomValues(new Uint8Array(32));
  const nonce = new Uint8Array(12);
  const body = crypto.getRandomValues(new Uint8Array(messageBytes));
  const signature = sign(null, body, privateKey);
  const latencies: number[] = [];
  let sealed = { bytes: Buffer.alloc(0), tag: Buffer.alloc(0) };
  const sealing = await ownCost(() => {
    for (let i = 0; i < count; i++) {
      const began = performance.now();
      sign(null, body, privateKey);
      const cipher = createCipheriv("aes-256-gcm", key, nonce);
      sealed = {
        bytes: Buffer.concat([cipher.update(body), cipher.final()]),
        tag: cipher.getAuthTag(),
      };
      latencies.push(performance.now() - began);
    }
  });
  const opening = await ownCost(() => {
    for (let i = 0; i < count; i++) {
      const decipher = createDecipheriv("aes-256-gcm", key, nonce);
      decipher.setAuthTag(sealed.tag);
      const opened = decipher.update(sealed.bytes);
      decipher.final();
      if (!verify(null, opened, publicKey, signature)) throw new Error("not what was sealed");
    }
  });
  const name = "raw AES-GCM and Ed25519";
  return [
    { ...row(name, "seal", suite, count, sealing), latencyMs: percentiles(latencies) },
    row(name, "open a backlog", suite, count, opening),
  ];
}

function row(
  engine: string,
  what: string,
  suite: SuiteName,
  count: number,
  cost: OwnCost,
): Figures {
  return {
    server: engine,
    case: `${what}, ${suite}`,
    rate: count / cost.seconds,
    unit: "messages/s",
    cpuMs: (cost.cpuMs / count) * 1000,
    cpuPer: "1,000",
  };
}
