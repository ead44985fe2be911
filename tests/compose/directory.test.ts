import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ProfileStore } from "@sotto/sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Person } from "../../infra/demo/person.ts";
import { Company, texts, until } from "../scenarios/company.ts";
import { Stack } from "./stack.ts";

interface Status {
  readonly size: number;
  readonly root: string;
  readonly behind: boolean;
  readonly signed?: number;
  readonly altered: boolean;
}

describe("a key directory whose Redis somebody lays hands on", () => {
  let stack: Stack;
  let company: Company;
  let password: string;
  let aliceStore: ProfileStore;
  let homes: string;

  const redis = async (...args: readonly string[]): Promise<string> => {
    const user = ["--user", "keyserver", "--pass", password, "--no-auth-warning"];
    return (await stack.exec("redis", "redis-cli", ...user, ...args)).trim();
  };
  const status = async (): Promise<Status> => {
    const text = await stack.exec("keyserver", "sotto-admin", "--json", "status");
    return (JSON.parse(text) as { directory: Status }).directory;
  };
  const restart = async (): Promise<void> => {
    await stack.compose("restart", "keyserver");
    await stack.compose("up", "--detach", "--wait", "--no-recreate");
  };

  beforeAll(async () => {
    homes = await mkdtemp(join(tmpdir(), "sotto-homes-"));
    stack = await Stack.up();
    const invite = await stack.ownerInvite();
    company = new Company({ ownerInvite: () => invite });
    password = (await stack.exec("keyserver", "cat", "/run/secrets/redis-password")).trim();
  });

  afterAll(async () => {
    await company?.[Symbol.asyncDispose]();
    await stack?.[Symbol.asyncDispose]();
    // An agent may still have its profile open.
    await rm(homes, { recursive: true, force: true, maxRetries: 20, retryDelay: 300 });
  });

  test("comes back from an older copy by what clients hand back, and nobody is alarmed", async () => {
    const [alice, bob, carol] = await company.people("alice", "bob", "carol");
    const before = await status();
    expect(before).toMatchObject({ size: 3, behind: false, altered: false });
    // What a backup from before carol joined would bring back.
    await redis("RPOP", "sotto:records");
    await redis("HDEL", "sotto:chains", carol.client.profile.user);
    await redis("HDEL", "sotto:names", "carol");
    for (const { client } of [alice, bob, carol]) await client[Symbol.asyncDispose]();
    await restart();
    expect(await status()).toMatchObject({ size: 2, signed: 3, behind: true });
    // Her device is one that the copy does not know.
    const again = await company.open("carol", carol.store);
    await until("carol handed it back", async () => !(await status()).behind, 20_000);
    expect(await status()).toEqual(before);
    await again.client.online();
    aliceStore = alice.store;
    const alsoAlice = await company.open("alice", alice.store);
    await alsoAlice.client.send("general", "nothing happened");
    await until(
      "carol reads",
      async () => (await texts(again)).includes("nothing happened"),
      20_000,
    );
    const dave = await company.arrive("dave", (await alsoAlice.client.invite()).invite);
    await dave.client.online();
    expect(await status()).toMatchObject({ size: 4, behind: false });
  });

  test("is refused, by the keyserver at its next start too, once a record was altered", async () => {
    const alice = await company.open("alice", aliceStore);
    const { invite } = await alice.client.invite();
    const frank = new Person("frank", join(homes, "frank"));
    const forFrank = await alice.client.invite();
    await frank.one("join", forFrank.invite, "--name", "frank");
    expect(await frank.one("audit")).toMatchObject({ faults: [] });
    const record = await redis("LINDEX", "sotto:records", "1");
    const [header = "", payload = "", signature = ""] = record.split(".");
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as { iat: number };
    const forged = Buffer.from(JSON.stringify({ ...claims, iat: claims.iat + 1 }));
    await redis(
      "LSET",
      "sotto:records",
      "1",
      [header, forged.toString("base64url"), signature].join("."),
    );
    // Whoever reads it finds it out, and so does the keyserver that answers.
    const erin = await company.arrive("erin", invite);
    await expect(erin.client.send("general", "hello")).rejects.toThrow();
    expect(await status()).toMatchObject({ altered: true });
    await expect(frank.one("audit")).rejects.toThrow(/audit ended with 1/);
    await expect(alice.client.invite()).rejects.toThrow();
    await stack.compose("restart", "keyserver");
    const logs = () => stack.compose("logs", "--no-color", "--no-log-prefix", "keyserver");
    await until(
      "it says what is damaged",
      async () => /the key directory is damaged: record 1: /.test(await logs()),
      30_000,
    );
    // It answers a moment later than it speaks.
    const audit = () => frank.one("audit").then(String, (error: Error) => error.message);
    await until("it shows it", async () => /audit ended with 1/.test(await audit()), 30_000);
  });
});
