import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Person } from "../../../infra/demo/person.ts";
import { type DemoServer, startServer } from "../../../infra/demo/server.ts";
import { callAgent } from "../src/agent/agent-client.ts";
import { runSotto, runSottoOn } from "./run-sotto.ts";

let folder: string;
let server: DemoServer;
let alice: Person;
let bob: Person;
const person = (name: string) => new Person(name, join(folder, name));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sotto-devices-"));
  server = await startServer(join(folder, "server"), 0);
  [alice, bob] = [person("alice"), person("bob")];
  await alice.one("join", server.ownerInvite ?? "", "--name", "alice", "--device-name", "laptop");
  const { invite } = await alice.one("invite");
  await bob.one("join", String(invite), "--name", "bob");
}, 60_000);

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 300 });
});

/** Links a further device; answers it, with what both commands printed. */
async function link(by: Person, name: string) {
  const linking = by.begin("link");
  const { code } = await linking.until("a code", (line) => "code" in line);
  const device = person(name);
  const joined = await device.one("join", "--link", String(code), "--device-name", name);
  expect(await linking.ended()).toBe(0);
  return { device, joined, lines: linking.lines, code: String(code) };
}

test("links a device: the code at once, then who joined; both read on", async () => {
  const { device, joined, lines, code } = await link(alice, "phone");
  expect(code).toMatch(/^sotto:\/\/.+\/l#/);
  expect(lines).toEqual([
    { code },
    { device: expect.stringMatching(/^[0-9a-f]{32}$/), name: "phone", user: "alice" },
  ]);
  expect(joined).toMatchObject({
    user: "alice",
    device: lines[1]?.["device"],
    server: server.address,
    rooms: [{ name: "general" }],
  });
  await bob.one("send", "general", "to both of alice");
  for (const reader of [alice, device]) {
    const read = await reader.run("listen", "--no-follow");
    expect(read.some(({ text }) => text === "to both of alice")).toBe(true);
  }
  expect(await device.run("devices")).toEqual([
    expect.objectContaining({ name: "laptop", current: false, revoked: false }),
    expect.objectContaining({ name: "phone", current: true, revoked: false }),
  ]);
  await expect(person("third").run("join", "--link", code)).rejects.toThrow("LINK_ENDED");
}, 60_000);

test("revokes a device by its name; its commands say so and end with 1", async () => {
  const { device } = await link(alice, "tablet");
  const listening = device.listen();
  await listening.until("ready", ({ type }) => type === "ready");
  expect(await alice.one("devices", "revoke", "tablet")).toMatchObject({
    name: "tablet",
    revoked: true,
  });
  expect(await listening.ended()).toBe(1);
  await expect(device.run("send", "general", "am I still here?")).rejects.toThrow(
    /ended with 1: .*revoked.*REVOKED/s,
  );
  await bob.one("send", "general", "without the tablet");
  const read = await device.run("listen", "--no-follow").catch(() => []);
  expect(read.some(({ text }) => text === "without the tablet")).toBe(false);
  // The server tells it nothing more, the record of its revocation not either.
  expect(await device.run("devices")).toContainEqual(
    expect.objectContaining({ name: "tablet", current: true, revoked: true }),
  );
  const home = join(folder, "tablet");
  expect((await runSotto(home, "devices")).out).toMatch(/tablet .* this device, revoked$/m);
  const self = await runSotto(home, "whoami");
  expect(self).toMatchObject({ code: 0, out: expect.stringContaining("revoked") });
  expect(self.err).not.toContain("recovery");
  await expect(alice.run("devices", "revoke", "tablet")).rejects.toThrow("REFUSED");
  await expect(alice.run("devices", "revoke", "nothing")).rejects.toThrow("UNKNOWN_DEVICE");
  await expect(alice.run("devices", "revoke", "laptop")).rejects.toThrow("--yes");
}, 60_000);

test("ends with 2 where it is not clear who joins, and says what a code is for", async () => {
  await expect(person("nobody").run("join")).rejects.toThrow("ended with 2");
  await expect(person("nobody").run("join", "sotto://x/#y")).rejects.toThrow("ended with 2");
  const linking = alice.begin("link");
  const { code } = await linking.until("a code", (line) => "code" in line);
  await expect(person("nobody").run("join", String(code), "--name", "x")).rejects.toThrow(
    "sotto join --link",
  );
  linking.stop();
  expect(await linking.ended()).toBe(1);
}, 60_000);

test("a phrase brings somebody back on a new machine; whoami reminds until it is confirmed", async () => {
  const { invite } = await alice.one("invite");
  const carol = person("carol");
  await carol.one("join", String(invite), "--name", "carol");
  expect(await carol.one("whoami")).toMatchObject({ recovery: "none" });
  const made = await carol.run("recovery");
  expect(made).toEqual([{ phrase: expect.stringMatching(/^(?:[a-z]+ ){23}[a-z]+$/) }]);
  const phrase = String(made[0]?.["phrase"]);
  expect(await carol.one("whoami")).toMatchObject({ recovery: "unconfirmed" });
  const other = `${"zoo ".repeat(23)}vote`;
  await expect(carol.run("recovery", "confirm", "--phrase", other)).rejects.toThrow(
    "UNKNOWN_PHRASE",
  );
  // From standard input, where no process list shows it.
  const home = join(folder, "carol");
  const confirmed = await runSottoOn(`${phrase}\n`, home, "recovery", "confirm", "--phrase", "-");
  expect(confirmed).toMatchObject({ code: 0, out: expect.stringContaining("The words are right") });
  expect(await carol.one("recovery", "confirm", "--phrase", phrase)).toEqual({ recovery: "set" });
  expect(await carol.one("whoami")).toMatchObject({ recovery: "set" });

  const again = person("carol again");
  const recover = (server: string, words: string) =>
    again.one("recover", "--server", server, "--phrase", words, "--device-name", "new");
  await expect(recover(server.address, "one two three")).rejects.toThrow(
    /ended with 1.*BAD_PHRASE/s,
  );
  await expect(recover(server.address, other)).rejects.toThrow(/ended with 1.*UNKNOWN_PHRASE/s);
  expect(await recover(String(invite), phrase)).toMatchObject({
    user: "carol",
    rooms: [{ name: "general" }],
    revoked: 1,
  });
  await again.one("send", "general", "carol again");
  const read = await alice.run("listen", "--no-follow");
  expect(read).toContainEqual(expect.objectContaining({ sender: "carol", text: "carol again" }));
  await expect(carol.run("send", "general", "the lost one")).rejects.toThrow("REVOKED");
}, 60_000);

test("an empty answer replaces no phrase, and one more beside an earlier one is said to be that", async () => {
  const { invite } = await alice.one("invite");
  const frank = person("frank");
  const home = join(folder, "frank");
  await frank.one("join", String(invite), "--name", "frank");
  const first = await frank.one("recovery");
  const none = await runSottoOn("", home, "recovery", "--replace");
  expect(none).toMatchObject({ code: 1, out: "", err: expect.stringContaining("BAD_PHRASE") });
  expect(none.err).toContain("nothing was replaced");
  expect(none.err).toContain(`sotto --home ${home} recovery`);
  expect(await runSottoOn("\n", home, "recovery", "--replace")).toEqual(none);
  // Nor does the agent, whoever asks it.
  await expect(callAgent(home, "recovery", { replacing: "" })).rejects.toMatchObject({
    code: "BAD_PHRASE",
  });

  const beside = await runSotto(home, "--json", "recovery");
  expect(beside).toMatchObject({ code: 0, err: expect.stringContaining("stays good") });
  const earlier = String(first["phrase"]);
  expect(await frank.one("recovery", "confirm", "--phrase", earlier)).toEqual({ recovery: "set" });
  const replaced = await runSottoOn(earlier, home, "--json", "recovery", "--replace");
  expect(replaced).toMatchObject({ code: 0, err: expect.not.stringContaining("stays good") });
  for (const { phrase } of [first, JSON.parse(beside.out)])
    await expect(frank.run("recovery", "confirm", "--phrase", phrase)).rejects.toThrow(
      "UNKNOWN_PHRASE",
    );
}, 60_000);

test("the owner lets somebody begin anew, who needs no name for it", async () => {
  await expect(bob.run("invite", "--reset", "alice")).rejects.toThrow("only the server's owner");
  const made = await runSotto(join(folder, "alice"), "--json", "invite", "--reset", "bob");
  expect(made.err).toContain("begins without a past");
  const { invite } = JSON.parse(made.out);
  const again = person("bob again");
  await expect(again.run("join", String(invite), "--name", "eve")).rejects.toThrow("for bob");
  const begun = await runSotto(join(folder, "bob again"), "--json", "join", String(invite));
  expect(begun.err).toContain("cannot be read any more");
  expect(JSON.parse(begun.out)).toMatchObject({ user: "bob", rooms: [{ name: "general" }] });
  await expect(bob.run("send", "general", "the old one")).rejects.toThrow("REVOKED");
  await expect(person("third").run("join", String(invite))).rejects.toThrow("ended with 1");
}, 60_000);
