import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Line, Person } from "../../../infra/demo/person.ts";
import { cli, runSotto as run } from "./run-sotto.ts";

/** A server that nobody has joined yet. */
export interface ContractServer {
  /** `host:port`, as `whoami` shows it. */
  readonly address: string;
  readonly ownerInvite: string;
  stop(): Promise<void>;
}

/** What the sotto command promises, against whatever server `start` makes in a folder. */
export function describeContract(
  kind: string,
  start: (folder: string) => Promise<ContractServer>,
): void {
  describe(`the sotto command, ${kind}`, () => contract(start));
}

function contract(start: (folder: string) => Promise<ContractServer>): void {
  let folder: string;
  let server: ContractServer;
  let alice: Person;
  let bob: Person;
  let carol: Person;
  const home = (name: string) => join(folder, name);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "sotto-cli-"));
    server = await start(join(folder, "server"));
    [alice, bob, carol] = ["alice", "bob", "carol"].map((name) => new Person(name, home(name))) as [
      Person,
      Person,
      Person,
    ];
    await alice.one("join", server.ownerInvite, "--name", "alice");
    const { invite, link } = await alice.one("invite", "--uses", "2", "--expires", "24h");
    expect(link).toMatch(/^https:\/\/.*\/i#/);
    await bob.one("join", String(invite), "--name", "bob");
    await carol.one("join", String(link), "--name", "carol");
  }, 60_000);

  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 300 });
  });

  test("says who one is, and where one is", async () => {
    expect(await bob.one("whoami")).toMatchObject({ user: "bob", server: server.address });
    const rooms = await bob.run("rooms");
    expect(rooms).toEqual([
      expect.objectContaining({ name: "general", members: 3, state: "active" }),
    ]);
    expect((await bob.run("members", "general")).map(({ user }) => user).sort()).toEqual([
      "alice",
      "bob",
      "carol",
    ]);
  });

  test("sends durably, and lists what was sent in order, the sender's own included", async () => {
    const sent: Line[] = [];
    for (const i of [1, 2, 3]) sent.push(await alice.one("send", "general", "message", String(i)));
    expect(sent[0]).toEqual({
      room: expect.stringMatching(/^[0-9a-f]{32}$/),
      incarnation: expect.stringMatching(/^[0-9a-f]+$/),
      sequence: expect.any(Number),
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    for (const person of [alice, bob]) {
      const lines = await person.run("listen", "--room", "general", "--no-follow", "--after", "0");
      const messages = lines.filter(({ type }) => type === "message");
      expect(messages.map(({ text }) => text)).toEqual(["message 1", "message 2", "message 3"]);
      expect(messages.map(({ sequence }) => sequence)).toEqual(
        sent.map(({ sequence }) => sequence),
      );
      expect(messages[0]).toMatchObject({
        sender: "alice",
        id: sent[0]?.["id"],
        room: sent[0]?.["room"],
      });
      expect(lines.at(-1)).toEqual({ type: "ready" });
    }
    const later = await bob.run("listen", "--no-follow", "--after", String(sent[1]?.["sequence"]));
    expect(later.filter(({ type }) => type === "message").map(({ text }) => text)).toEqual([
      "message 3",
    ]);
  });

  test("reads a message from standard input", async () => {
    const child = spawn(
      process.execPath,
      [cli, "--home", home("alice"), "--json", "send", "general", "-"],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    child.stdin.end("from a pipe\n");
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(code).toBe(0);
    const lines = await bob.run("listen", "--no-follow");
    expect(lines.some(({ text }) => text === "from a pipe")).toBe(true);
  });

  test("several commands on one profile at once share a session and fork nothing", async () => {
    const listeners = [bob.listen(), bob.listen("--room", "general")];
    await Promise.all(
      listeners.map((listener) => listener.until("ready", ({ type }) => type === "ready")),
    );
    await Promise.all([
      ...Array.from({ length: 6 }, (_, i) => bob.one("send", "general", `at once ${i}`)),
      alice.one("send", "general", "in between"),
    ]);
    for (const listener of listeners) {
      for (const i of [0, 1, 2, 3, 4, 5])
        await listener.until(`at once ${i}`, ({ text }) => text === `at once ${i}`);
      listener.stop();
    }
    const socket = await stat(join(home("bob"), "agent.sock"));
    expect(socket.mode & 0o777).toBe(0o600);
  });

  test("tells presence: a snapshot first, then who comes and goes", async () => {
    const listener = alice.listen();
    await listener.until("ready", ({ type }) => type === "ready");
    expect(listener.lines[0]).toMatchObject({ type: "presence" });
    const others = carol.listen();
    await listener.until(
      "carol online",
      ({ type, user, state }) => type === "presence" && user === "carol" && state === "online",
    );
    others.stop();
    await listener.until(
      "carol offline",
      ({ type, user, state }) => type === "presence" && user === "carol" && state === "offline",
    );
    listener.stop();
  });

  test("makes rooms, adds and removes people; a removed one reads nothing more", async () => {
    const { room } = await alice.one("room", "create", "plans");
    await alice.one("send", "plans", "before bob");
    await alice.one("room", "add", "plans", "bob");
    await alice.one("send", "plans", "with bob");
    const before = await bob.run("listen", "--room", String(room), "--no-follow");
    const said = before.filter(({ type }) => type === "message");
    expect(said.map(({ text, toldBy }) => [text, toldBy])).toEqual([
      ["before bob", "alice"],
      ["with bob", undefined],
    ]);
    await alice.one("room", "remove", "plans", "bob");
    await alice.one("send", String(room), "without bob");
    const after = await bob.run("listen", "--no-follow");
    expect(after.some(({ text }) => text === "without bob")).toBe(false);
    expect(after).toContainEqual(
      expect.objectContaining({
        type: "membership",
        change: "removed",
        users: ["bob"],
        by: "alice",
      }),
    );
    expect(await run(home("bob"), "--json", "send", String(room), "still here?")).toMatchObject({
      code: 1,
      out: "",
    });
  });

  test("shows what newcomers may have of a room, and changes it", async () => {
    const { room } = await alice.one("room", "create", "minutes", "--history", "none");
    const rooms = await alice.run("rooms");
    expect(rooms).toContainEqual(expect.objectContaining({ room, history: "none" }));
    expect(rooms).toContainEqual(expect.objectContaining({ name: "general", history: "all" }));
    await alice.one("room", "policy", "minutes", "--history", "since-join");
    expect(await alice.run("members", "minutes")).toEqual([
      expect.objectContaining({ user: "alice", history: "since-join" }),
    ]);
    expect(await alice.run("listen", "--room", "minutes", "--no-follow")).toContainEqual(
      expect.objectContaining({ type: "policy", history: "since-join", by: "alice" }),
    );
    expect(await bob.one("room", "policy", "general")).toMatchObject({ history: "all" });
    expect(await alice.one("room", "policy", "minutes")).toEqual({ room, history: "since-join" });
    expect((await run(home("alice"), "room", "policy", "minutes", "--history", "x")).code).toBe(2);
    expect((await run(home("bob"), "room", "policy", "general", "--history", "none")).code).toBe(1);
  });

  test("shows keys, and the same safety number on both sides", async () => {
    const [one, other] = [await alice.one("keys", "bob"), await bob.one("keys", "alice")];
    expect(one).toMatchObject({
      user: "bob",
      chain: [expect.stringMatching(/^[0-9a-f]{64}$/)],
      devices: [expect.objectContaining({ revoked: false })],
    });
    expect(one["safetyNumber"]).toMatch(/^\d{60}$/);
    expect(one["safetyNumber"]).toBe(other["safetyNumber"]);
  });

  test("compares safety numbers, and remembers", async () => {
    const [one, other] = [await alice.one("verify", "bob"), await bob.one("verify", "alice")];
    expect(one).toMatchObject({ user: "bob", verified: false });
    const number = String(one["safetyNumber"]);
    expect(number).toBe(other["safetyNumber"]);
    const wrong = number.replaceAll(/\d/g, (digit) => String((Number(digit) + 1) % 10));
    const refused = await run(home("alice"), "verify", "bob", "--number", wrong);
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.err).toContain("WRONG_NUMBER");
    expect((await run(home("alice"), "verify", "bob", "--number", "123")).code).toBe(2);
    expect(await alice.one("verify", "bob", "--number", number)).toMatchObject({ verified: true });
    expect(await alice.one("keys", "bob")).toMatchObject({ verified: true });
    expect(await bob.one("keys", "alice")).toMatchObject({ verified: false });
  });

  test("audits the whole key directory", async () => {
    const report = await bob.one("audit");
    expect(report).toMatchObject({ faults: [], behind: false, own: { devices: 1 } });
    expect(report["root"]).toMatch(/^[0-9a-f]{64}$/);
    expect(await bob.one("whoami")).toMatchObject({
      directory: { size: report["size"], root: report["root"], state: "good" },
    });
  });

  test("shares, lists, watches from any byte without writing, and saves", async () => {
    const film = randomBytes(3_300_000);
    const path = join(folder, "film.mp4");
    await writeFile(path, film);
    const shared = await alice.one("share", path, "--to", "general");
    expect(shared).toMatchObject({ bytes: film.length, pieces: 4 });
    const object = String(shared["object"]);
    expect(await bob.run("media", "general")).toContainEqual(
      expect.objectContaining({ object, name: "film.mp4", bytes: film.length, mime: "video/mp4" }),
    );
    const filesBefore = (await readdir(home("bob"))).sort();
    for (let i = 0; i < 10; i++) {
      const from = Math.floor(Math.random() * film.length);
      const length = Math.min(film.length - from, 1 + Math.floor(Math.random() * 500_000));
      const bytes = await bob.bytes(
        "watch",
        object,
        "--stdout",
        "--from",
        String(from),
        "--length",
        String(length),
      );
      expect(createHash("sha256").update(bytes).digest("hex")).toBe(
        createHash("sha256")
          .update(film.subarray(from, from + length))
          .digest("hex"),
      );
    }
    expect((await readdir(home("bob"))).sort()).toEqual(filesBefore);
    const target = join(folder, "received.mp4");
    await bob.one("save", object, target);
    expect((await readFile(target)).equals(film)).toBe(true);
    await bob.one("save", object, target, "--room", "general");
    const other = await run(home("bob"), "--json", "save", object, target, "--room", "@alice");
    expect(other).toMatchObject({ code: 1, err: expect.stringContaining("UNKNOWN_") });
  }, 60_000);

  test("serves a player on loopback, with ranges, as long as the command runs", async () => {
    const [line] = (await bob.run("media")).filter(({ mime }) => mime === "video/mp4");
    const child = spawn(
      process.execPath,
      [
        ...[cli, "--home", home("bob"), "--json"],
        ...["watch", String(line?.["object"]), "--url", "--room", "general"],
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const url = await new Promise<string>((resolve) =>
      child.stdout.on("data", (chunk) =>
        resolve((JSON.parse(String(chunk)) as { url: string }).url),
      ),
    );
    const part = await fetch(url, { headers: { range: "bytes=100-199" } });
    expect(part.status).toBe(206);
    expect(part.headers.get("content-range")).toBe(`bytes 100-199/${line?.["bytes"]}`);
    expect((await part.arrayBuffer()).byteLength).toBe(100);
    expect((await fetch(url, { headers: { range: "bytes=99999999-" } })).status).toBe(416);
    expect((await fetch(url.replace(/\/[^/]+\/([^/]+)$/, "/wrong/$1"))).status).toBe(404);
    child.kill("SIGINT");
    await new Promise((resolve) => child.on("close", resolve));
    await expect(fetch(url).then(({ status }) => status)).resolves.toBe(404);
  });

  test("ends with 2 for wrong usage, 1 for a refusal, 3 where the server is not there", async () => {
    expect((await run(home("alice"), "nonsense")).code).toBe(2);
    expect((await run(home("alice"), "send")).code).toBe(2);
    expect((await run(home("alice"), "invite", "--uses", "none")).code).toBe(2);
    expect((await run(home("alice"), "--help")).code).toBe(0);
    expect(await run(home("alice"), "--json", "send", "nowhere", "hi")).toMatchObject({
      code: 1,
      out: "",
      err: expect.stringContaining("nowhere"),
    });
    expect((await run(join(folder, "nobody"), "send", "general", "hi")).code).toBe(1);
    expect(
      (
        await run(
          join(folder, "lost"),
          "join",
          "sotto://127.0.0.1:1/#AQEAIOP2qID70IjpczQCovSVaN8YBy4h_XFQ8vlSE_5wUU2RBgAgbBQ33KHY_zeoH19QFMbF6dHLbwcGIFNWfkZ2QP5_Va4",
          "--name",
          "lost",
        )
      ).code,
    ).toBe(3);
    expect((await run(join(folder, "lost"), "join", "garbage", "--name", "lost")).code).toBe(1);
  });
}
