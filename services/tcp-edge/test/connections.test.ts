import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { CloseCode, ErrorCode, encodeFrame, limits } from "@sotto/protocol";
import { describe, expect, it } from "vitest";
import { EdgeWorld } from "./edge-world.ts";
import { TestClient } from "./test-client.ts";

const errorOf = (body: { case: string | undefined; value?: unknown }) =>
  body.case === "error" ? (body.value as { code: ErrorCode }).code : body.case;

/** Whether a handshake with these options ends in a connection. */
async function handshake(port: number, options: object): Promise<string> {
  const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options });
  return await new Promise((resolve) => {
    socket.once("secureConnect", () => {
      resolve(String(socket.alpnProtocol || "none"));
      socket.destroy();
    });
    socket.once("error", () => resolve("refused"));
    socket.once("close", () => resolve("refused"));
  });
}

async function get(port: number, path: string, options: object = {}): Promise<string> {
  const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options });
  socket.end(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
  let text = "";
  for await (const bytes of socket) text += bytes;
  return text;
}

describe("the port", () => {
  it("speaks TLS 1.3 only, and ALPN tells frames from HTTPS", async () => {
    await using world = await EdgeWorld.start();
    expect(await handshake(world.port, { ALPNProtocols: ["sotto/1"] })).toBe("sotto/1");
    expect(await handshake(world.port, { ALPNProtocols: ["http/1.1"] })).toBe("http/1.1");
    expect(await handshake(world.port, {})).toBe("none");
    expect(await handshake(world.port, { ALPNProtocols: ["other"] })).toBe("refused");
    const old = { ALPNProtocols: ["sotto/1"], maxVersion: "TLSv1.2" };
    expect(await handshake(world.port, old)).toBe("refused");
  });

  it("shows who clicked an invite what to do, without a script, and nothing else", async () => {
    await using world = await EdgeWorld.start();
    const page = await get(world.port, "/i", { ALPNProtocols: ["http/1.1"] });
    expect(page).toContain("200 OK");
    expect(page).toContain("sotto join");
    expect(page).toContain("default-src 'none'");
    expect(page).not.toMatch(/<script|javascript:|src=|href=/);
    expect(await get(world.port, "/i")).toContain("200 OK");
    for (const path of ["/", "/healthz", "/metrics", "/ws", "/i/../etc"]) {
      expect(await get(world.port, path)).toContain("404 Not Found");
    }
  });

  it("ends a connection whose login takes too long, in the handshake or after it", async () => {
    await using world = await EdgeWorld.start({ limits: { loginTimeoutMs: 150 } });
    using client = await world.connect();
    const silent = connectTcp(world.port, "127.0.0.1");
    silent.on("error", () => undefined);
    await Promise.all([client.until(() => client.isGone), once(silent, "close")]);
    expect(client.closed?.code).toBe(CloseCode.LOGIN_TIMEOUT);
    const alice = await world.keyserver.newDevice();
    using fast = await world.online(alice);
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(fast.isGone).toBe(false);
  });

  it("lets an address have so many connections before login, and more after it", async () => {
    await using world = await EdgeWorld.start({
      limits: { connectionsBeforeLoginPerAddressMax: 2 },
    });
    const alice = await world.keyserver.newDevice();
    using first = await world.connect();
    using _second = await world.connect();
    expect(await handshake(world.port, { ALPNProtocols: ["sotto/1"] })).toBe("refused");
    await first.logIn(alice);
    using third = await world.connect();
    expect(third.hello).toBeDefined();
  });

  it("believes a PROXY header of a configured proxy, and destroys a proxy's connection without one", async () => {
    await using world = await EdgeWorld.start({
      proxies: ["127.0.0.1"],
      limits: { connectionsBeforeLoginPerAddressMax: 1 },
    });
    const through = async (header: string) => {
      const socket = connectTcp(world.port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.write(header);
      return await handshake(world.port, { socket, ALPNProtocols: ["sotto/1"] });
    };
    expect(await through("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n")).toBe("sotto/1");
    expect(await through("")).toBe("refused");
  });
});

describe("a login", () => {
  it("proves the device, and a replay of it on another connection is refused", async () => {
    await using world = await EdgeWorld.start();
    const alice = await world.keyserver.newDevice();
    using first = await world.connect();
    const claim = await first.claim(alice);
    using second = await world.connect();
    const replayed = await second.request({ case: "authenticate", value: claim });
    expect(errorOf(replayed)).toBe(ErrorCode.BAD_SIGNATURE);
    await second.until(() => second.isGone);
    expect(second.closed?.code).toBe(CloseCode.AUTHENTICATION_FAILED);
    const answer = await first.request({ case: "authenticate", value: claim });
    expect(answer.case).toBe("authenticated");
  });

  it("that somebody relays, with the very nonces of their own connection, is refused", async () => {
    await using world = await EdgeWorld.start();
    const alice = await world.keyserver.newDevice();
    using relay = await world.connect();
    using victim = await world.connect();
    // Whoever stands in between shows alice the greeting that it got; her channel is another one.
    victim.hello = relay.hello;
    const claim = await victim.claim(alice);
    const relayed = await relay.request({ case: "authenticate", value: claim });
    expect(errorOf(relayed)).toBe(ErrorCode.BAD_SIGNATURE);
    using direct = await world.connect();
    expect((await direct.logIn(alice)).case).toBe("authenticated");
  });

  it("of an unknown device is answered as a bad signature", async () => {
    await using world = await EdgeWorld.start();
    const alice = await world.keyserver.newDevice();
    const nobody = { ...alice, device: "ab".repeat(16) as typeof alice.device };
    using client = await world.connect();
    expect(errorOf(await client.logIn(nobody))).toBe(ErrorCode.BAD_SIGNATURE);
  });

  it("is bounded for each device", async () => {
    await using world = await EdgeWorld.start({ limits: { connectionsPerDeviceMax: 1 } });
    const alice = await world.keyserver.newDevice();
    using first = await world.online(alice);
    using second = await world.connect();
    await second.logIn(alice);
    await second.until(() => second.isGone);
    expect(second.closed?.code).toBe(CloseCode.TOO_MANY_CONNECTIONS);
    first[Symbol.dispose]();
    await first.until(() => first.isGone);
    await second.until(() => true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    using third = await world.online(alice);
    expect(third.isGone).toBe(false);
  });

  it("has small frames before it, and larger ones after it", async () => {
    await using world = await EdgeWorld.start();
    const large = encodeFrame(99, 1, new Uint8Array(limits.frameBytesBeforeLoginMax + 1));
    using stranger = await world.connect();
    stranger.write(large);
    await stranger.until(() => stranger.isGone);
    expect(stranger.closed?.code).toBe(CloseCode.FRAME_TOO_LARGE);
    using member = await world.online(await world.keyserver.newDevice());
    member.write(large);
    expect((await member.request({ case: "listRooms", value: {} })).case).toBe("roomList");
  });
});

describe("a connection", () => {
  it("that is revoked is closed at the next confirmation at the latest", async () => {
    await using world = await EdgeWorld.start({ confirmPeriodMs: 50 });
    const alice = await world.keyserver.newDevice();
    using client = await world.online(alice);
    world.keyserver.revoke(alice.device);
    await client.until(() => client.isGone);
    expect(client.closed?.code).toBe(CloseCode.DEVICE_REVOKED);
  });

  it("is sent back once when the directory's store was altered, and may stay when it is back", async () => {
    await using world = await EdgeWorld.start({ confirmPeriodMs: 20 });
    const alice = await world.keyserver.newDevice();
    using client = await world.online(alice);
    using stranger = await world.connect();
    world.keyserver.altered = true;
    await client.until(() => client.isGone);
    expect(client.closed).toMatchObject({ code: CloseCode.GOING_AWAY });
    using back = await world.online(alice);
    // Another replica of the keyserver has not seen it yet.
    world.keyserver.altered = false;
    await new Promise((resolve) => setTimeout(resolve, 100));
    world.keyserver.altered = true;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([back.isGone, stranger.isGone]).toEqual([false, false]);
  });

  it("that stays silent is pinged, and then closed", async () => {
    await using world = await EdgeWorld.start({
      limits: { pingIntervalMs: 60, idleTimeoutMs: 200 },
    });
    using client = await world.online(await world.keyserver.newDevice());
    await client.until(() => client.isGone);
    expect(client.closed?.code).toBe(CloseCode.IDLE);
  });

  it("that sends garbage disturbs no other", async () => {
    await using world = await EdgeWorld.start();
    using good = await world.online(await world.keyserver.newDevice());
    for (let n = 0; n < 20; n++) {
      const bad = await world.online(await world.keyserver.newDevice());
      bad.write(encodeFrame(n % 12, 0, Buffer.from("garbage")));
      bad.write(Buffer.alloc(1000, 255));
      await bad.until(() => bad.isGone);
    }
    expect((await good.request({ case: "listRooms", value: {} })).case).toBe("roomList");
  });

  it("is told to come back when the edge drains, and nobody new comes in", async () => {
    await using world = await EdgeWorld.start();
    using client = await world.online(await world.keyserver.newDevice());
    await world.edge.drain();
    expect(client.events.map((event) => event.case)).toContain("draining");
    await client.until(() => client.isGone);
    expect(client.closed?.code).toBe(CloseCode.DRAINING);
    expect(world.edge.ready()).toBe(false);
    await expect(TestClient.connect(world.port)).rejects.toThrow();
  });

  it("of a small team does not wait for the many that a large one has", async () => {
    await using world = await EdgeWorld.start();
    using client = await world.online(await world.keyserver.newDevice());
    await world.edge.drain();
    const told = client.events.find((event) => event.case === "draining");
    expect(told?.value).toMatchObject({ reconnectAfterMs: expect.toSatisfy((ms) => ms < 20) });
  });
});
