import { fromHex, webSocketBinding } from "@sotto/protocol";
import { expect, it } from "vitest";
import WebSocket from "ws";
import { EdgeWorld } from "./edge-world.ts";
import { TestClient } from "./test-client.ts";

async function connect(port: number, origin: string): Promise<TestClient> {
  const client = new TestClient();
  const socket = new WebSocket(`wss://127.0.0.1:${port}/ws`, "sotto.v1", {
    origin,
    rejectUnauthorized: false,
  });
  socket.on("message", (data: Buffer) => client.receive(data));
  socket.on("close", () => client.gone());
  client.wire = {
    write: (bytes) => socket.send(bytes),
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
