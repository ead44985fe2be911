import { encodeFrame, fromHex, limits, webSocketBinding } from "@sotto/protocol";
import { expect, it } from "vitest";
import WebSocket from "ws";
import { EdgeWorld } from "./edge-world.ts";
import { TestClient } from "./test-client.ts";

async function connect(port: number, origin = `https://127.0.0.1:${port}`): Promise<TestClient> {
  const client = new TestClient();
  const socket = new WebSocket(`wss://127.0.0.1:${port}/ws`, "sotto.v1", {
    origin,
    rejectUnauthorized: false,
  });
  socket.on("message", (data: Buffer) => client.receive(data));
  socket.on("close", () => client.gone());
  client.wire = {
    write: (bytes) => socket.send(bytes),
    fragment: (bytes) => socket.send(bytes, { fin: false }),
    destroy: () => socket.terminate(),
    pause: () => socket.pause(),
    binding: webSocketBinding(origin),
  };
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  await client.until(() => client.hello !== undefined);
  return client;
}

it("a WebSocket carries the same session", async () => {
  await using world = await EdgeWorld.start();
  const [alice, bob] = [await world.keyserver.newDevice(), await world.keyserver.newDevice()];
  const room = await world.keyserver.newRoom(alice, bob);
  using a = await connect(world.port, `https://127.0.0.1:${world.port}`);
  expect((await a.logIn(alice)).case).toBe("authenticated");
  using b = await world.online(bob);
  await a.request({ case: "subscribe", value: { room: fromHex(room) } });
  expect((await b.request(world.append(room, 1, "x".repeat(90_000)))).case).toBe("appended");
  await a.until(() => a.records.length === 3);
  expect((await a.request(world.append(room, 2))).case).toBe("appended");
  await world.edge.drain();
  await a.until(() => a.isGone);
  expect(a.closed).toBeDefined();
});

it("a WebSocket of another origin is refused", async () => {
  await using world = await EdgeWorld.start();
  await expect(connect(world.port, "https://evil.example")).rejects.toThrow(/403/);
});

/** A frame of a type that nobody knows: it is passed over. */
const frameOf = (bodyBytes: number) => encodeFrame(99, 1, new Uint8Array(bodyBytes));

it("a WebSocket takes small messages before the login, and larger ones after it", async () => {
  await using world = await EdgeWorld.start();
  const small = frameOf(limits.frameBytesBeforeLoginMax);
  using honest = await connect(world.port);
  for (let count = 0; count < 20; count++) honest.write(small);
  expect((await honest.logIn(await world.keyserver.newDevice())).case).toBe("authenticated");
  honest.write(frameOf(limits.frameBytesMax));
  expect((await honest.request({ case: "listRooms", value: {} })).case).toBe("roomList");
  using stranger = await connect(world.port);
  stranger.write(Buffer.concat([small, new Uint8Array(1)]));
  await stranger.until(() => stranger.isGone);
});

it("a WebSocket gathers little of a stranger's message that does not end", async () => {
  await using world = await EdgeWorld.start();
  const many = { fragments: 1500, bytes: 1 };
  const large = { fragments: 12, bytes: 8 * 1024 };
  for (const { fragments, bytes } of [many, large]) {
    using stranger = await connect(world.port);
    for (let count = 0; count < fragments; count++)
      stranger.wire?.fragment?.(new Uint8Array(bytes));
    await stranger.until(() => stranger.isGone);
  }
});
