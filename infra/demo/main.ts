import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endAll } from "./children.ts";
import { Person } from "./person.ts";
import { type DemoServer, startServer } from "./server.ts";
import { Story } from "./story.ts";
import { filesWith, findInServer } from "./what-the-server-has.ts";

const video = join(import.meta.dirname, "clip.mp4");
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

const helpText = `Usage: npm run demo

Starts a server and three people in a folder of its own, plays a story with them, and removes everything again.

Exit codes: 0 all went well, 1 something did not, 2 wrong usage, 130 interrupted.`;

const args = process.argv.slice(2);
if (args.length > 0) {
  const help = args.every((arg) => arg === "--help" || arg === "-h");
  (help ? process.stdout : process.stderr).write(`${helpText}\n`);
  process.exit(help ? 0 : 2);
}

const story = new Story();
const folder = await mkdtemp(join(tmpdir(), "sotto-demo-"));
let server: DemoServer | undefined;

/** Resolves with an exit code where the demo ends before its story does. */
const cutShort = new Promise<number>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => resolve(130));
  // Whoever read along has gone (`npm run demo | head`).
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => resolve(0));
});

async function tell(): Promise<number> {
  try {
    await play();
    story.end();
    return 0;
  } catch (error) {
    if (!cut) story.failed(error);
    return 1;
  }
}

let cut = false;
const early = cutShort.then((code) => {
  cut = true;
  return code;
});
const code = await Promise.race([tell(), early]);
await endAll();
await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
process.exit(code);

async function play(): Promise<void> {
  const data = join(folder, "server");
  server = await story.step("A server starts", async () => {
    const started = await startServer(data, 0);
    story.say(`listening on ${started.address}, with nothing but a folder`);
    return started;
  });
  const port = Number(server.address.split(":").at(-1));
  const [alice, bob, carol] = ["alice", "bob", "carol"].map(
    (name) => new Person(name, join(folder, name)),
  ) as [Person, Person, Person];

  await story.step("Three people join by invite", async () => {
    await alice.one("join", server?.ownerInvite ?? "", "--name", "alice");
    story.say("alice took the owner's invite; the room 'general' is hers");
    const { invite } = await alice.one("invite", "--uses", "2");
    await Promise.all([
      bob.one("join", String(invite), "--name", "bob"),
      carol.one("join", String(invite), "--name", "carol"),
    ]);
    story.say("bob and carol came with hers; her device let them into the encrypted room");
  });

  await story.step("Bob looks up alice's keys", async () => {
    const keys = await bob.one("keys", "alice");
    const other = await alice.one("keys", "bob");
    if (keys["safetyNumber"] !== other["safetyNumber"]) throw new Error("safety numbers differ");
    story.say(
      `both see the safety number ${String(keys["safetyNumber"])
        .replace(/(\d{5})(?=\d)/g, "$1 ")
        .slice(0, 23)} …`,
    );
  });

  const secret = `canary-${randomBytes(12).toString("hex")}`;
  const listener = bob.listen();
  await story.step("They see who is here, and talk", async () => {
    await listener.until("bob's history", ({ type }) => type === "ready");
    const carols = carol.listen();
    await listener.until(
      "carol online",
      (line) =>
        line["type"] === "presence" && line["user"] === "carol" && line["state"] === "online",
    );
    story.say("bob saw carol come online");
    await alice.one("send", "general", `the plan is ${secret}`);
    await listener.until("alice's message", ({ text }) => text === `the plan is ${secret}`);
    await bob.one("send", "@alice", "between us: yes");
    await alice.one("send", "@bob", "between us: good");
    await listener.until("alice's answer", ({ text }) => text === "between us: good");
    story.say("alice wrote to the room; she and bob wrote to each other");
    carols.stop();
    await listener.until(
      "carol offline",
      (line) =>
        line["type"] === "presence" && line["user"] === "carol" && line["state"] === "offline",
    );
    story.say("bob saw carol leave");
  });
  listener.stop();

  const film = await readFile(video);
  const object = await story.step("Alice shares a video", async () => {
    const shared = await alice.one("share", video, "--to", "general");
    story.say(`${shared["bytes"]} bytes, sealed in ${shared["pieces"]} pieces`);
    return String(shared["object"]);
  });

  await story.step("The server is killed in the middle of a burst, and starts again", async () => {
    const burst = Array.from({ length: 20 }, (_, i) => alice.one("send", "general", `burst ${i}`));
    await burst[4];
    await server?.kill();
    server = await startServer(data, port);
    await Promise.all(burst);
    const lines = await carol.run("listen", "--room", "general", "--no-follow");
    const texts = lines.map(({ text }) => String(text)).filter((text) => text.startsWith("burst "));
    if (texts.length !== 20 || new Set(texts).size !== 20)
      throw new Error(`carol has ${texts.length} of 20 messages`);
    story.say("carol, who was away, has all 20 messages once");
  });

  await story.step("Carol watches, and jumps to the middle", async () => {
    const middle = Math.floor(film.length / 2);
    const [jump, whole] = [
      await carol.bytes(
        "watch",
        object,
        "--stdout",
        "--from",
        String(middle),
        "--length",
        "100000",
      ),
      await carol.bytes("watch", object, "--stdout"),
    ];
    if (sha256(jump) !== sha256(film.subarray(middle, middle + 100_000)))
      throw new Error("the jump gave other bytes");
    if (sha256(whole) !== sha256(film)) throw new Error("the video is not the same");
    story.say(`the same bytes: SHA-256 ${sha256(whole).slice(0, 32)}…`);
    story.say("nothing of it was written to her disk");
  });

  const phone = new Person("bob's phone", join(folder, "phone"));
  await story.step("Bob links his phone, and loses it", async () => {
    const linking = bob.begin("link");
    const { code } = await linking.until("a code", (line) => "code" in line);
    await phone.one("join", "--link", String(code), "--device-name", "phone");
    await linking.ended();
    const follows = phone.listen();
    await follows.until("what was said before", ({ text }) => text === `the plan is ${secret}`);
    await alice.one("send", "general", "before the loss");
    await follows.until("what is said", ({ text }) => text === "before the loss");
    story.say("it has what was said before it came, and hears what is said");
    await bob.one("devices", "revoke", "phone");
    await alice.one("send", "general", "after the loss");
    const heard = await bob.run("listen", "--room", "general", "--no-follow");
    if (!heard.some(({ text }) => text === "after the loss")) throw new Error("bob hears nothing");
    if (follows.lines.some(({ text }) => text === "after the loss"))
      throw new Error("the revoked phone reads on");
    follows.stop();
    story.say("revoked, it hears nothing more; bob does");
  });

  await story.step("Somebody steals a disk", async () => {
    for (const text of [secret, "between us", "clip.mp4"])
      if ((await filesWith(Buffer.from(text), join(folder, "bob"))).length > 0)
        throw new Error(`"${text}" stands readable in bob's profile`);
    story.say("bob's profile is sealed: no message, no name of a file");
    story.say("its key lies beside it unless he sets a passphrase: sotto passphrase set");
  });

  await story.step("What did the server see?", async () => {
    const running = server;
    if (!running) throw new Error("no server");
    const clearText = [secret, "between us", "clip.mp4"];
    for (const text of clearText) {
      const places = await findInServer(Buffer.from(text), data, running);
      if (places.length > 0) throw new Error(`"${text}" was found in ${places.join(", ")}`);
    }
    const piece = film.subarray(200_000, 200_064);
    const places = await findInServer(piece, data, running);
    if (places.length > 0) throw new Error(`bytes of the video were found in ${places.join(", ")}`);
    if ((await findInServer(Buffer.from("alice"), data, running)).length === 0)
      throw new Error("the search finds nothing at all");
    story.say("names and keys, yes; no message, no room title, no file name, no byte of the video");
    story.say("(searched: its data folder, its output, its memory)");
  });
}
