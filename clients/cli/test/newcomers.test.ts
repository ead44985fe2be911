import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Person } from "../../../infra/demo/person.ts";
import { type DemoServer, startServer } from "../../../infra/demo/server.ts";
import { runSotto } from "./run-sotto.ts";
import { onTerminal, terminal } from "./terminal.ts";

let folder: string;
let server: DemoServer;
let alice: Person;
let bob: Person;
const home = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sotto-newcomers-"));
  server = await startServer(join(folder, "server"), 0);
  alice = new Person("alice", home("alice"));
  bob = new Person("bob", home("bob"));
  await alice.one("join", server.ownerInvite ?? "", "--name", "alice");
  const { invite } = await alice.one("invite");
  await bob.one("join", String(invite), "--name", "bob");
}, 60_000);

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 300 });
});

test.skipIf(!terminal)("on a terminal, codes to scan are drawn whole", async () => {
  for (const command of [["verify", "bob"], ["invite"]]) {
    const shown = await onTerminal(home("alice"), ...command);
    expect(shown.match(/[▀▄█]/gu)?.length).toBeGreaterThan(200);
    expect(shown).not.toContain("�");
  }
});

test("a room is made neither with a person's name nor with the name of another room of one's own", async () => {
  const person = await runSotto(home("alice"), "room", "create", "@bob");
  expect(person).toMatchObject({ code: 1, err: expect.stringContaining("NAME_INVALID") });
  const again = await runSotto(home("alice"), "room", "create", "general");
  expect(again).toMatchObject({ code: 1, err: expect.stringContaining("ROOM_EXISTS") });
});

test("the beginning of an id does for a room and an object", async () => {
  const { room } = await alice.one("room", "create", "plans");
  const short = String(room).slice(0, 8);
  const added = await runSotto(home("alice"), "room", "add", short, "bob");
  expect(added).toMatchObject({ code: 0, out: `bob was added to ${short}\n` });
  const again = await runSotto(home("alice"), "room", "add", short, "bob");
  expect(again).toMatchObject({ code: 0, out: `bob is in ${short} already\n` });
  expect(await alice.one("send", short, "by its beginning")).toMatchObject({ room });
  const path = join(folder, "note.txt");
  await writeFile(path, "a file");
  const { object } = await alice.one("share", path, "--to", short);
  const received = join(folder, "received.txt");
  await bob.one("save", String(object).slice(0, 8), received);
  expect(await readFile(received, "utf8")).toBe("a file");
});

test("nobody takes themselves out, and is told what to do", async () => {
  const own = await runSotto(home("bob"), "room", "remove", "general", "bob");
  expect(own).toMatchObject({ code: 1, out: "" });
  expect(own.err).toMatch(/ask alice: sotto room remove [0-9a-f]{8} bob \(OWN_REMOVAL\)/);
});

test("help says what policies on history mean, and hints name the profile", async () => {
  const help = await runSotto(home("bob"), "room", "policy", "--help");
  for (const policy of ["none", "since-join", "all"])
    expect(help.out).toMatch(new RegExp(`^ {2}${policy} .*what is said from now on`, "m"));
  const self = await runSotto(home("bob"), "whoami");
  expect(self.err).toContain(`sotto --home ${home("bob")} recovery`);
});

test("what is here can be read while the server is away; sending says that it is", async () => {
  await alice.one("send", "general", "kept here");
  await bob.run("listen", "--no-follow");
  await server.stop();
  const away = "the server is not reachable; this is what this device has\n";
  const [history, rooms, media, sent] = await Promise.all([
    runSotto(home("bob"), "listen", "--no-follow"),
    runSotto(home("bob"), "rooms"),
    runSotto(home("bob"), "--json", "media"),
    runSotto(home("bob"), "send", "general", "hello", "--timeout", "2"),
  ]);
  expect(history).toMatchObject({ code: 0, err: away });
  expect(history.out).toContain("kept here");
  expect(rooms).toMatchObject({ code: 0, err: away, out: expect.stringContaining("general") });
  expect(media).toMatchObject({ code: 0, out: expect.stringContaining("note.txt") });
  expect(JSON.parse(media.err)).toMatchObject({ type: "notice" });
  expect(sent).toMatchObject({ code: 3, out: "" });

  const port = Number(server.address.split(":").at(-1));
  server = await startServer(join(folder, "server"), port);
  await alice.one("send", "general", "back again");
  const later = await runSotto(home("bob"), "listen", "--no-follow");
  expect(later).toMatchObject({ code: 0, err: "" });
  expect(later.out).toContain("back again");
}, 60_000);

test("who is in no room because the server was set back does not wait for a member", async () => {
  const carol = new Person("carol", home("carol"));
  const { invite } = await alice.one("invite");
  await carol.one("join", String(invite), "--name", "carol");
  await alice.one("room", "remove", "general", "carol");
  const [data, copy] = [join(folder, "server"), join(folder, "copy")];
  const port = Number(server.address.split(":").at(-1));
  await server.stop();
  await cp(data, copy, { recursive: true });
  server = await startServer(data, port);
  const { room } = await alice.one("room", "create", "late");
  await alice.one("room", "add", "late", "carol");
  expect(await carol.run("rooms")).toEqual([expect.objectContaining({ room, name: "late" })]);
  await server.stop();
  await rm(data, { recursive: true });
  await cp(copy, data, { recursive: true });
  server = await startServer(data, port);
  const rooms = await runSotto(home("carol"), "rooms");
  expect(rooms).toMatchObject({ code: 0, out: "" });
  expect(rooms.err).toContain("the server does not know this device in the rooms");
  const sent = await runSotto(home("carol"), "send", "late", "anybody?");
  expect(sent).toMatchObject({
    code: 1,
    err: expect.stringContaining("set back to an older copy"),
  });
}, 60_000);
