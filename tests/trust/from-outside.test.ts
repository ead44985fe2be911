import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Line, Person } from "../../infra/demo/person.ts";
import { type DemoServer, startServer } from "../../infra/demo/server.ts";
import { alterRecord } from "../../infra/embedded/test/alter-record.ts";

let folder: string;
let server: DemoServer;
let alice: Person;
let bob: Person;
let phone: Person;
const person = (name: string) => new Person(name, join(folder, name));
const data = () => join(folder, "server");

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sotto-from-outside-"));
  server = await startServer(data(), 0);
  [alice, bob, phone] = [person("alice"), person("bob"), person("phone")];
  await alice.one("join", server.ownerInvite ?? "", "--name", "alice", "--device-name", "laptop");
  const { invite } = await alice.one("invite");
  await bob.one("join", String(invite), "--name", "bob");
});

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 300 });
});

const heard = async (reader: Person): Promise<unknown[]> =>
  (await reader.run("listen", "--no-follow")).map(({ text }: Line) => text);

test("two devices of alice both read bob", async () => {
  await bob.one("send", "general", "before there was a phone");
  const linking = alice.begin("link");
  const { code } = await linking.until("a code", (line) => "code" in line);
  await phone.one("join", "--link", String(code), "--device-name", "phone");
  expect(await linking.ended()).toBe(0);
  await bob.one("send", "general", "to both of alice");
  for (const reader of [alice, phone])
    expect(await heard(reader)).toEqual(
      expect.arrayContaining(["before there was a phone", "to both of alice"]),
    );
});

test("a revoked one reads nothing more, and says why it sends nothing", async () => {
  expect(await alice.one("devices", "revoke", "phone")).toMatchObject({ name: "phone" });
  await bob.one("send", "general", "to the laptop alone");
  await expect(phone.run("send", "general", "still here?")).rejects.toThrow(/REVOKED/);
  const read = await heard(phone).catch((error: Error) => {
    expect(error.message).toMatch(/REVOKED/);
    return [];
  });
  expect(read).not.toContain("to the laptop alone");
  expect(await heard(alice)).toContain("to the laptop alone");
});

test("recovery brings identity and history back on a new machine, and shuts out the lost one", async () => {
  const { phrase } = await alice.one("recovery");
  await alice.one("recovery", "confirm", "--phrase", String(phrase));
  const found = person("new-machine");
  expect(
    await found.one(
      ...["recover", "--server", server.address, "--phrase", String(phrase)],
      ...["--device-name", "desk"],
    ),
  ).toMatchObject({ user: "alice" });
  await bob.one("send", "general", "welcome back");
  expect(await heard(found)).toEqual(
    expect.arrayContaining([
      "before there was a phone",
      "to both of alice",
      "to the laptop alone",
      "welcome back",
    ]),
  );
  await expect(alice.run("send", "general", "from the lost one")).rejects.toThrow(/REVOKED/);
  alice = found;
});

test("a record that is altered in the server's own database makes audit exit 1, and clients refuse", async () => {
  expect(await alice.one("audit")).toMatchObject({ faults: [] });
  const { invite } = await alice.one("invite");
  alterRecord(data(), 1);
  await expect(alice.run("audit")).rejects.toThrow(/ended with 1/);
  for (const client of [alice, bob])
    await expect(client.run("audit")).rejects.toThrow(/ended with 1/);
  await expect(bob.run("send", "general", "anybody?")).rejects.toThrow(/DIRECTORY_FORK/);
  await expect(alice.run("send", "general", "anybody?")).rejects.toThrow(/DIRECTORY_FORK/);
  // Also somebody who never saw the true one.
  const carol = person("carol");
  await carol
    .run("join", String(invite), "--name", "carol")
    .then(() => carol.run("send", "general", "hello"))
    .then(
      () => expect.unreachable("carol believed it"),
      (error: Error) => expect(error.message).toMatch(/ended with 1/),
    );
});
