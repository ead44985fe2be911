import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ManualClock } from "@sotto/clock";
import { expect, onTestFinished, test } from "vitest";
import { type Certificate, loadCertificate } from "./certificate.ts";
import { CertificateWatch } from "./certificate-watch.ts";
import { selfSigned } from "./self-signed.ts";

const nowMs = 1_800_000_000_000;
const periodMs = 1000;

async function watched() {
  const folder = await mkdtemp(join(tmpdir(), "edge-watch-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const source = { kind: "folder", folder: join(folder, "own"), given: folder } as const;
  const clock = new ManualClock(nowMs);
  const seen = { changed: [] as Certificate[], failed: [] as string[], vouched: 0 };
  let vouches = true;
  const watch = new CertificateWatch({
    clock,
    source,
    current: await loadCertificate(source, clock.now()),
    voucher: {
      async vouchFor() {
        if (!vouches) throw new Error("the keyserver is away");
        seen.vouched++;
      },
    },
    periodMs,
    changed: (certificate) => void seen.changed.push(certificate),
    failed: (error) => void seen.failed.push(String(error)),
  });
  onTestFinished(() => watch[Symbol.asyncDispose]());
  const give = async (pair: { key: string; certificate: string }) => {
    await writeFile(join(folder, "privkey.pem"), pair.key);
    await writeFile(join(folder, "fullchain.pem"), pair.certificate);
  };
  const look = async () => {
    await clock.advance(periodMs);
    // Reading files takes real time.
    await new Promise((resolve) => setTimeout(resolve, 100));
  };
  const away = (is: boolean) => {
    vouches = !is;
  };
  return { seen, give, look, away };
}

test("files that appear take the place of the self-signed certificate, once vouched for", async () => {
  const { seen, give, look, away } = await watched();
  await look();
  expect(seen.changed).toEqual([]);
  const pair = await selfSigned(nowMs);
  await give(pair);
  away(true);
  await look();
  await look();
  expect(seen.changed).toEqual([]);
  expect(seen.failed).toEqual(["Error: the keyserver is away"]);
  away(false);
  await look();
  expect(seen.changed.map(({ certificate }) => certificate)).toEqual([pair.certificate]);
  await look();
  expect(seen.vouched).toBe(1);
});

test("a pair that cannot be used is told once, and the one before stays", async () => {
  const { seen, give, look } = await watched();
  const [one, other] = [await selfSigned(nowMs), await selfSigned(nowMs)];
  await give({ key: one.key, certificate: other.certificate });
  await look();
  await look();
  expect(seen.changed).toEqual([]);
  expect(seen.failed).toHaveLength(1);
  await give(other);
  await look();
  expect(seen.changed).toHaveLength(1);
});
