import { ErrorCode, encodeEvent, fromHex } from "@sotto/protocol";
import type { Transport, TransportConnection } from "@sotto/sdk";
import { tlsTransport } from "@sotto/sdk/node";
import { expect, test } from "vitest";
import { texts, until, World } from "./world.ts";

/** A transport that puts frames of its own among the server's, and cuts connections. */
class MeddlingTransport implements Transport {
  inject: (bytes: Uint8Array) => void = () => {};
  cut: () => void = () => {};

  async connect(
    ...[address, events, signal]: Parameters<Transport["connect"]>
  ): Promise<TransportConnection> {
    const connection = await tlsTransport.connect(address, events, signal);
    this.inject = (bytes) => events.data(bytes);
    this.cut = () => connection.close();
    return connection;
  }
}

test("a room that was interrupted on a connection that is gone is read on the new one", async () => {
  await using world = await World.start();
  const transport = new MeddlingTransport();
  const alice = await world.person("alice");
  const bob = await world.person("bob", { transport });
  const [room] = bob.client.rooms.list();
  const error = { code: ErrorCode.UNAVAILABLE };
  const value = { room: fromHex(room?.room ?? ""), error };
  transport.inject(encodeEvent(0, { body: { case: "roomInterrupted", value } }));
  transport.cut();
  await until("bob is back", async () => {
    await alice.client.send("general", "are you there?");
    return (await texts(bob)).includes("are you there?");
  });
  // Longer than the wait after which an interrupted room is asked for again.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await alice.client.send("general", "and now?");
  await until("bob still hears", async () => (await texts(bob)).includes("and now?"));
  expect((await texts(bob)).at(-1)).toBe("and now?");
});
