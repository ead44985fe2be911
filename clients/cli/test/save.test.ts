import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Person } from "../../../infra/demo/person.ts";
import { type DemoServer, startServer } from "../../../infra/demo/server.ts";
import { runSotto } from "./run-sotto.ts";

let folder: string;
let server: DemoServer;
let alice: Person;
const home = () => join(folder, "alice");

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sotto-save-"));
  server = await startServer(join(folder, "server"), 0);
  alice = new Person("alice", home());
  await alice.one("join", server.ownerInvite ?? "", "--name", "alice");
}, 60_000);

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 300 });
});

async function share(name: string, content: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return String((await alice.one("share", path, "--to", "general"))["object"]);
}

test("a file that is there is not replaced under a name that the sender chose", async () => {
  const received = join(folder, "received");
  await mkdir(received);
  await writeFile(join(received, "notes.tar.gz"), "mine");
  await writeFile(join(received, ".profile"), "mine too");
  const notes = await share("notes.tar.gz", "of the sender");
  const profile = await share(".profile", "of the sender");
  for (const [object, name] of [
    [notes, "notes.tar (1).gz"],
    [notes, "notes.tar (2).gz"],
    [profile, ".profile (1)"],
  ] as const) {
    const path = join(received, name);
    expect(await alice.one("save", object, received)).toMatchObject({ path });
    expect(await readFile(path, "utf8")).toBe("of the sender");
  }
  expect(await readFile(join(received, "notes.tar.gz"), "utf8")).toBe("mine");
  expect(await readFile(join(received, ".profile"), "utf8")).toBe("mine too");
  expect(await readdir(received)).toHaveLength(5);
  // A person who names the file means it.
  await alice.one("save", notes, join(received, "notes.tar.gz"));
  expect(await readFile(join(received, "notes.tar.gz"), "utf8")).toBe("of the sender");
});

test("a file's name commands neither the terminal that shows it nor the folder that gets it", async () => {
  const object = await share("film\u001b[2J\n\u009b31m.mp4", "frames");
  const shown = "film�[2J��31m.mp4";
  for (const command of [["media"], ["listen", "--no-follow"]]) {
    const { code, out, err } = await runSotto(home(), ...command);
    expect(code, err).toBe(0);
    expect(out).toContain(shown);
    expect(out + err).not.toMatch(/[^\n\P{Cc}]/u);
  }
  const to = join(folder, "named");
  await mkdir(to);
  await alice.one("save", object, to);
  expect(await readdir(to)).toEqual(["film_[2J__31m.mp4"]);
  const missing = await runSotto(home(), "members", "no such \u001b[2Jroom");
  expect(missing.code).toBe(1);
  expect(missing.err).toContain("no such �[2Jroom");
});
