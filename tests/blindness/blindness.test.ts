import { randomBytes } from "node:crypto";
import { deflateSync, gzipSync } from "node:zlib";
import {
  join as joinServer,
  type MediaSource,
  MemoryStore,
  SottoClient,
  type Transport,
} from "@sotto/sdk";
import { nodeMlsEngine, nodeSealCrypto, tlsTransport } from "@sotto/sdk/node";
import { expect, test } from "vitest";
import { byteCanary, type Canary, canary, heldBy } from "./needles.ts";
import { found, withSearchedServer } from "./searched-server.ts";
import { sayUnsealed, type Words } from "./unsealed.ts";

const fileBytes = 900_000;

interface Secrets {
  readonly words: Words;
  readonly canaries: readonly Canary[];
}

function secrets(): Secrets {
  const [text, title, fileName] = [
    canary("message text"),
    canary("room title"),
    canary("file name"),
  ];
  const file = randomBytes(fileBytes);
  const middle = byteCanary("file bytes", file.subarray(400_000, 400_032));
  const words = { text: text.text, title: title.text, fileName: `${fileName.text}.mp4`, file };
  return { words, canaries: [text, title, fileName, middle] };
}

/** A transport that remembers what left, to know ciphertext when it is seen. */
function overheard(sent: Buffer[]): Transport {
  return {
    async connect(address, events, signal) {
      const connection = await tlsTransport.connect(address, events, signal);
      return {
        ...connection,
        send(bytes) {
          sent.push(Buffer.from(bytes));
          return connection.send(bytes);
        },
      };
    },
  };
}

function source({ file, fileName }: Words): MediaSource {
  return {
    name: fileName,
    bytes: file.length,
    mime: "video/mp4",
    fingerprint: "film",
    async *read(start) {
      yield file.subarray(start);
    },
  };
}

test("what people say, call, name and share is found nowhere on the server's side; its ciphertext is", async () => {
  await withSearchedServer(async (server, data) => {
    const { words, canaries } = secrets();
    const sent: Buffer[] = [];
    const clients: SottoClient[] = [];
    const enter = async (invite: string, name: string, transport: Transport) => {
      const store = new MemoryStore();
      await joinServer({ invite, name, store, transport });
      const client = await SottoClient.open({
        store,
        transport,
        sealCrypto: nodeSealCrypto,
        mlsEngine: nodeMlsEngine,
        keyPackagesTarget: 5,
      });
      clients.push(client);
      await client.rooms.waitFor("general", 15_000);
      return client;
    };
    const alice = await enter(server.ownerInvite ?? "", "alice", overheard(sent));
    const bob = await enter((await alice.invite()).invite, "bob", tlsTransport);
    const room = await alice.rooms.create(words.title);
    await alice.rooms.add(room.room, "bob");
    sent.length = 0;
    await alice.send(room.room, words.text);
    const ciphertext = byteCanary(
      "ciphertext",
      (sent.find(({ length }) => length > 200) ?? Buffer.alloc(0)).subarray(-48),
    );
    const { object } = await alice.media.share(room.room, source(words));
    await bob.rooms.waitFor(words.title, 15_000);
    let heard = "";
    for (let waited = 0; waited < 200 && heard === ""; waited++) {
      for await (const entry of bob.history()) if (entry.type === "media") heard = entry.object;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const media = await bob.media.open(object);
    const parts: Uint8Array[] = [];
    for await (const part of media.read(0, media.bytes)) parts.push(part);
    expect(Buffer.concat(parts).equals(words.file)).toBe(true);

    for (const { canary: wanted, places } of await found([...canaries, ciphertext], server, data)) {
      if (wanted === ciphertext) expect(places).toContain("data folder");
      else expect(places, wanted.what).toEqual([]);
    }
    for (const client of clients) await client[Symbol.asyncDispose]();
  });
}, 240_000);

test("the same search finds every one of them where sealing is replaced by identity", async () => {
  await withSearchedServer(async (server, data) => {
    const { words, canaries } = secrets();
    const close = await sayUnsealed(server, words);
    // What the server may know is in its output and its metrics, so the search reaches them as well.
    const known = [
      canary("data folder's path", data),
      canary("a metric", "sotto_tcp_edge_connections_total"),
      canary("a name", "owner"),
    ];
    const all = await found([...canaries, ...known], server, data);
    const places = new Map(all.map(({ canary: { what }, places }) => [what, places]));
    for (const { what } of canaries)
      expect(places.get(what), what).toEqual(expect.arrayContaining(["data folder", "memory"]));
    // Messages go from the edge straight to the log; only files cross from service to service.
    expect(places.get("file bytes")).toContain("traffic between services");
    expect(places.get("data folder's path")).toContain("output");
    expect(places.get("a metric")).toContain("metrics");
    expect(places.get("a name")).toEqual(
      expect.arrayContaining(["data folder", "memory", "traffic between services"]),
    );
    close();
  });
}, 240_000);

test("a canary is recognised raw, in hex, in base64 at every offset, in UTF-16, and compressed", () => {
  const wanted = canary("text");
  const raw = Buffer.from(wanted.text);
  const around = (inner: Buffer) => Buffer.concat([randomBytes(101), inner, randomBytes(57)]);
  const forms = [
    raw,
    Buffer.from(raw.toString("hex")),
    Buffer.from(wanted.text, "utf16le"),
    deflateSync(around(raw)),
    gzipSync(around(raw)),
    ...[0, 1, 2].map((offset) =>
      Buffer.from(Buffer.concat([randomBytes(offset), raw, randomBytes(5)]).toString("base64")),
    ),
  ];
  for (const [i, form] of forms.entries())
    expect(heldBy(around(form), [wanted]), `form ${i}`).toEqual([wanted]);
  expect(heldBy(randomBytes(1_000_000), [wanted])).toEqual([]);
});
