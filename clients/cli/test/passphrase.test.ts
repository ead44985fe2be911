import { spawn, spawnSync } from "node:child_process";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadProfile } from "@sotto/sdk";
import { ProfileKey, SqliteStore } from "@sotto/sdk/node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DemoServer, startServer } from "../../../infra/demo/server.ts";
import { filesHolding, type ProfileFolder, profileFolder } from "../../sdk/test/profile-folder.ts";

const cli = join(import.meta.dirname, "..", "bin", "sotto.js");
const node = [process.execPath, "--disable-warning=ExperimentalWarning", cli];
const secret = "correct horse battery";
const another = "another staple here";

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command of a profile without a terminal. */
async function run(
  home: string,
  passphrase: string | undefined,
  ...args: readonly string[]
): Promise<Outcome> {
  const env = {
    ...process.env,
    ...(passphrase === undefined ? {} : { SOTTO_PASSPHRASE: passphrase }),
  };
  const [file = "", ...rest] = [...node, "--home", home, "--json", ...args];
  const child = spawn(file, rest, { env, stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    err += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, out, err };
}

async function ok(home: string, passphrase: string | undefined, ...args: readonly string[]) {
  const outcome = await run(home, passphrase, ...args);
  expect(outcome, args.join(" ")).toMatchObject({ code: 0 });
  return outcome.out.trim() === "" ? {} : JSON.parse(outcome.out.trim().split("\n")[0] ?? "");
}

let folder: ProfileFolder;
let server: DemoServer;
const home = (name: string) => join(folder.path, name);

beforeAll(async () => {
  folder = await profileFolder();
  server = await startServer(join(folder.path, "server"), 0);
  await ok(home("alice"), undefined, "join", server.ownerInvite ?? "", "--name", "alice");
}, 60_000);

afterAll(async () => {
  for (const name of ["alice", "bob"]) await run(home(name), secret, "lock");
  await server.stop();
  await folder[Symbol.asyncDispose]();
});

const invite = async () => String((await ok(home("alice"), undefined, "invite")).invite);

/** Says and shares canaries; answers them with the seeds and keys that the profile holds. */
async function talk(
  name: string,
  passphrase: string | undefined,
): Promise<(string | Uint8Array)[]> {
  const file = join(folder.path, `canary-file-${name}.bin`);
  await writeFile(file, `canary-content-${name} `.repeat(4000));
  await ok(home(name), passphrase, "room", "create", `canary-room-${name}`);
  await ok(home(name), passphrase, "send", "general", `canary-text-${name}`);
  await ok(home(name), passphrase, "share", file, "--to", "general");
  await ok(home(name), passphrase, "listen", "--no-follow");
  return [
    `canary-text-${name}`,
    `canary-room-${name}`,
    `canary-file-${name}`,
    `canary-content-${name}`,
  ];
}

async function seedsOf(name: string, key?: ProfileKey): Promise<Uint8Array[]> {
  await using store = new SqliteStore(home(name), key);
  const profile = await loadProfile(store);
  expect(profile?.name).toBe(name);
  return [...Object.values(profile?.secrets ?? {}), store.dataKey.slice()];
}

/** Files of a profile with their modes, without sockets. */
async function modes(name: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const file of await readdir(home(name)))
    found[file] = ((await stat(join(home(name), file))).mode & 0o777).toString(8);
  return found;
}

test("a profile without a passphrase holds nothing readable but its key file", async () => {
  const canaries = await talk("alice", undefined);
  const files = await modes("alice");
  expect(Object.keys(files)).toEqual(
    expect.arrayContaining(["agent.lock", "agent.log", "agent.sock", "profile.db", "profile.key"]),
  );
  expect(new Set(Object.values(files))).toEqual(new Set(["600"]));
  for (const canary of canaries) expect(await filesHolding(home("alice"), canary)).toEqual([]);
  const seeds = await seedsOf("alice");
  const dataKey = seeds.pop() ?? new Uint8Array();
  expect(seeds).toHaveLength(4);
  for (const seed of seeds) expect(await filesHolding(home("alice"), seed)).toEqual([]);
  expect(await filesHolding(home("alice"), dataKey)).toEqual(["profile.key"]);
  // The search finds what is there.
  const plain = join(folder.path, "plain");
  await writeFile(plain, `${Buffer.from(seeds[0] ?? []).toString("hex")} ${canaries[0]}`);
  for (const needle of [seeds[0] ?? "", canaries[0] ?? ""])
    expect(await filesHolding(folder.path, needle)).toEqual(["plain"]);
}, 60_000);

test("a locked profile says so and does nothing, until somebody says the passphrase", async () => {
  await ok(home("bob"), secret, "join", await invite(), "--name", "bob");
  const canaries = await talk("bob", undefined);
  await ok(home("bob"), undefined, "lock");
  for (const args of [
    ["whoami"],
    ["send", "general", "canary-refused"],
    ["listen", "--no-follow"],
  ]) {
    const refused = await run(home("bob"), undefined, ...args);
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.err).toMatch(/sotto unlock.*\(LOCKED\)/);
  }
  const wrong = await run(home("bob"), another, "whoami");
  expect(wrong).toMatchObject({
    code: 1,
    out: "",
    err: expect.stringContaining("WRONG_PASSPHRASE"),
  });
  // Once said, the agent holds it for the commands that follow.
  expect(await ok(home("bob"), secret, "whoami")).toMatchObject({ user: "bob" });
  expect(await ok(home("bob"), undefined, "whoami")).toMatchObject({ user: "bob" });
  const heard = await run(home("alice"), undefined, "listen", "--no-follow");
  expect(heard.out).toContain("canary-text-bob");
  expect(heard.out).not.toContain("canary-refused");

  await ok(home("bob"), undefined, "lock");
  const seeds = await seedsOf("bob", await ProfileKey.unlock(home("bob"), Buffer.from(secret)));
  for (const needle of [...canaries, ...seeds, secret, another])
    expect(await filesHolding(home("bob"), needle), String(needle)).toEqual([]);
  const agentLog = await readFile(join(home("bob"), "agent.log"), "utf8");
  expect(agentLog).not.toMatch(/canary|general|alice/);
}, 90_000);

test("the passphrase is changed, taken from a file, removed and set while commands run", async () => {
  const file = join(folder.path, "passphrase.txt");
  await writeFile(file, `${secret}\n`);
  const next = join(folder.path, "next.txt");
  await writeFile(next, `${another}\n`);
  const change = ["passphrase", "change", "--new-passphrase-file", next];
  // An agent that is unlocked changes nothing for one who does not know the passphrase.
  await ok(home("bob"), undefined, "unlock", "--passphrase-file", file);
  expect(await run(home("bob"), undefined, ...change)).toMatchObject({ code: 1 });
  expect(await run(home("bob"), another, ...change)).toMatchObject({
    code: 1,
    err: expect.stringContaining("WRONG_PASSPHRASE"),
  });
  expect(await ok(home("bob"), undefined, ...change, "--passphrase-file", file)).toEqual({
    passphrase: true,
    locked: false,
  });
  await ok(home("bob"), undefined, "send", "general", "after the change");
  await ok(home("bob"), undefined, "lock");
  expect(await run(home("bob"), secret, "whoami")).toMatchObject({ code: 1 });
  expect(await ok(home("bob"), another, "unlock")).toEqual({ passphrase: true, locked: false });

  expect(await ok(home("bob"), another, "passphrase", "remove")).toMatchObject({
    passphrase: false,
  });
  await ok(home("bob"), undefined, "send", "general", "without one");
  for (const args of [["lock"], ["passphrase", "remove"], change]) {
    expect(await run(home("bob"), another, ...args)).toMatchObject({
      code: 1,
      err: expect.stringContaining("NO_PASSPHRASE"),
    });
  }
  expect(await ok(home("bob"), undefined, "unlock")).toEqual({ passphrase: false, locked: false });
  expect((await run(home("bob"), "short", "passphrase", "set")).err).toContain("BAD_PASSPHRASE");
  await ok(home("bob"), secret, "passphrase", "set");
  expect((await run(home("bob"), secret, "passphrase", "set")).err).toContain("PASSPHRASE_EXISTS");
  await ok(home("bob"), undefined, "send", "general", "with one again");
  await ok(home("bob"), undefined, "lock");
  const texts = (await run(home("bob"), secret, "listen", "--no-follow")).out;
  for (const text of ["after the change", "without one", "with one again"])
    expect(texts).toContain(text);
}, 90_000);

test("joining again changes nothing of a profile, whatever the environment says", async () => {
  const refused = await run(home("alice"), secret, "join", await invite(), "--name", "again");
  expect(refused.err).toContain("PROFILE_EXISTS");
  expect(ProfileKey.lockOf(home("alice"))).toBe("open");
});

const terminal = spawnSync("script", ["--version"]).status === 0;

test.skipIf(!terminal)(
  "on a terminal it is asked for, and not shown",
  async () => {
    await ok(home("bob"), secret, "unlock");
    await ok(home("bob"), undefined, "lock");
    const command = [...node, "--home", home("bob"), "whoami"].map((word) => `'${word}'`).join(" ");
    const child = spawn("script", ["-qec", command, "/dev/null"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    let shown = "";
    const asked = (times: number) =>
      new Promise<void>((resolve) =>
        child.stdout.on("data", () => {
          if (shown.split("Passphrase of this profile").length > times) resolve();
        }),
      );
    child.stdout.on("data", (chunk) => {
      shown += chunk;
    });
    await asked(1);
    child.stdin.write(`${another}\r`);
    await asked(2);
    // Mistyped and mended: a character of two bytes goes as one.
    child.stdin.write(`wrong\x15${secret}é\x7f\r`);
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(0);
    expect(shown).toContain("That is not the passphrase.");
    expect(shown).toContain("bob");
    for (const typed of [secret, another, "wrong"]) expect(shown).not.toContain(typed);
  },
  60_000,
);
