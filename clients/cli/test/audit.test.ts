import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Person } from "../../../infra/demo/person.ts";
import { startServer } from "../../../infra/demo/server.ts";
import { alterRecord } from "../../../infra/embedded/test/alter-record.ts";
import { runSotto } from "./run-sotto.ts";

test("a record altered in the store makes sotto audit exit 1, and nothing is sent any more", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sotto-audit-"));
  onTestFinished(() =>
    rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 300 }),
  );
  const server = await startServer(join(folder, "server"), 0);
  onTestFinished(() => server.stop());
  const homeOf = (name: string) => join(folder, name);
  const [alice, bob] = ["alice", "bob"].map((name) => new Person(name, homeOf(name)));
  if (!alice || !bob) throw new Error("nobody is there");
  await alice.one("join", server.ownerInvite ?? "", "--name", "alice");
  const { invite } = await alice.one("invite");
  await bob.one("join", String(invite), "--name", "bob");
  expect(await alice.one("audit")).toMatchObject({ records: 2, faults: [] });

  alterRecord(join(folder, "server"), 1);
  const audit = await runSotto(homeOf("alice"), "--json", "audit");
  expect(audit.code).toBe(1);
  const report = JSON.parse(audit.out);
  expect(report).toMatchObject({ records: 2, size: 2, checkpoint: { size: 2 } });
  expect(report.faults).toContainEqual(expect.objectContaining({ kind: "altered", index: 1 }));
  expect(report.root).not.toBe(report.checkpoint.root);

  const sent = await runSotto(homeOf("alice"), "send", "general", "no");
  expect(sent).toMatchObject({ code: 1, out: "" });
  expect(sent.err).toContain("DIRECTORY_FORK");
  const heard = await runSotto(homeOf("alice"), "listen", "--no-follow");
  expect(heard.code).toBe(0);
  expect(heard.err).toContain("the server's key directory cannot be trusted any more");
  const self = JSON.parse((await runSotto(homeOf("alice"), "--json", "whoami")).out);
  expect(self.directory).toMatchObject({ size: 2, state: "fork" });
  expect(self.directory.why).toContain("record 1");
  expect(self.directory.evidence).toMatchObject({
    kind: "altered-record",
    index: 1,
    ours: { size: 2 },
  });
  const people = await runSotto(homeOf("alice"), "audit");
  expect(people.code).toBe(1);
  expect(people.out).toMatch(/FAULT {2}record 1 is not the one/);
}, 60_000);

test("whose own record was altered while the server was down learns it, though nobody is let in, and audits the rest", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sotto-audit-"));
  onTestFinished(() =>
    rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 300 }),
  );
  const data = join(folder, "server");
  const first = await startServer(data, 0);
  const port = Number(/:(\d+)\//.exec(first.ownerInvite ?? "")?.[1]);
  const home = join(folder, "alice");
  const [alice, bob] = [new Person("alice", home), new Person("bob", join(folder, "bob"))];
  await alice.one("join", first.ownerInvite ?? "", "--name", "alice");
  const { invite } = await alice.one("invite", "--uses", "5");
  await bob.one("join", String(invite), "--name", "bob");
  await bob.one("send", "general", "hello alice");
  expect(await alice.one("audit")).toMatchObject({ records: 2, faults: [] });
  await first.stop();
  alterRecord(data, 0);
  const again = await startServer(data, port);
  onTestFinished(() => again.stop());

  const audit = await runSotto(home, "--json", "audit");
  expect(audit.code).toBe(1);
  const report = JSON.parse(audit.out);
  expect(report).toMatchObject({ records: 2, size: 2, users: 1 });
  expect(report.faults).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ kind: "login" }),
      expect.objectContaining({ kind: "altered", index: 0 }),
      expect.objectContaining({ kind: "record", index: 0 }),
      expect.objectContaining({ kind: "history" }),
      expect.objectContaining({ kind: "own-name" }),
    ]),
  );
  const told = await runSotto(home, "audit");
  expect(told.code).toBe(1);
  expect(told.out).toMatch(/^2 records: 1 people[\s\S]*FAULT {2}record 0 is not the one/);
  const sent = await runSotto(home, "send", "general", "no");
  expect(sent).toMatchObject({ code: 1, out: "" });
  expect(sent.err).toContain("record 0 is not the one that this device has seen there");
  const self = JSON.parse((await runSotto(home, "--json", "whoami")).out);
  expect(self).toMatchObject({
    connection: "refused",
    directory: { state: "fork", evidence: { kind: "altered-record", index: 0, ours: { size: 2 } } },
  });
  // What is here stays readable.
  const heard = await runSotto(home, "listen", "--no-follow");
  expect(heard).toMatchObject({ code: 1, out: expect.stringContaining("hello alice") });
  expect(heard.err).toContain("cannot be trusted any more");
  const carol = await runSotto(join(folder, "carol"), "join", String(invite), "--name", "carol");
  expect(carol).toMatchObject({ code: 1 });
  expect(carol.err).toContain("somebody altered this server's key directory");
  expect(carol.err).not.toContain("lacks");
}, 90_000);

test("a record altered while somebody is connected makes their client refuse within seconds, and the server says it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sotto-audit-"));
  onTestFinished(() =>
    rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 300 }),
  );
  const data = join(folder, "server");
  const server = await startServer(data, 0);
  onTestFinished(() => server.stop());
  const alice = new Person("alice", join(folder, "alice"));
  const bob = new Person("bob", join(folder, "bob"));
  await alice.one("join", server.ownerInvite ?? "", "--name", "alice");
  const { invite } = await alice.one("invite", "--uses", "5");
  await bob.one("join", String(invite), "--name", "bob");
  const listening = [alice, bob].map((person) => person.listen());
  onTestFinished(() => void listening.map((command) => command.stop()));
  await bob.one("send", "general", "before");
  for (const command of listening)
    await command.until("the message", ({ text }) => text === "before");

  alterRecord(data, 0);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  for (const person of [alice, bob])
    await expect(person.run("send", "general", "after")).rejects.toThrow(/DIRECTORY_FORK/);
  for (const person of [alice, bob])
    expect(await person.one("whoami")).toMatchObject({
      connection: "online",
      directory: { state: "fork", evidence: { kind: "altered-record", index: 0 } },
    });
  expect(server.output()).toMatch(
    /altered behind the server's back: record 0 .*restore it from a backup/,
  );
  const carol = await runSotto(join(folder, "carol"), "join", String(invite), "--name", "carol");
  expect(carol.err).toContain("somebody altered this server's key directory");
}, 90_000);

test("a record altered while the server was down is found out as well, and the server says which", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sotto-audit-"));
  onTestFinished(() =>
    rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 300 }),
  );
  const data = join(folder, "server");
  const first = await startServer(data, 0);
  const port = Number(/:(\d+)\//.exec(first.ownerInvite ?? "")?.[1]);
  const alice = new Person("alice", join(folder, "alice"));
  const bob = new Person("bob", join(folder, "bob"));
  await alice.one("join", first.ownerInvite ?? "", "--name", "alice");
  const { invite } = await alice.one("invite", "--uses", "5");
  await bob.one("join", String(invite), "--name", "bob");
  await first.stop();
  alterRecord(data, 1);
  const again = await startServer(data, port);
  onTestFinished(() => again.stop());
  expect(again.output()).toMatch(/the key directory is damaged: record 1: /);

  const audit = await runSotto(join(folder, "alice"), "--json", "audit");
  expect(audit.code).toBe(1);
  expect(JSON.parse(audit.out).faults).toContainEqual(
    expect.objectContaining({ kind: "altered", index: 1 }),
  );
  const sent = await runSotto(join(folder, "alice"), "send", "general", "no");
  expect(sent).toMatchObject({ code: 1, out: "" });
  const carol = await runSotto(join(folder, "carol"), "join", String(invite), "--name", "carol");
  expect(carol.code).toBe(1);
}, 90_000);
