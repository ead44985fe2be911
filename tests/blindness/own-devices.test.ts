import { parseLinkCode } from "@sotto/identity";
import { joinByLink, join as joinServer, MemoryStore, SottoClient } from "@sotto/sdk";
import { nodeMlsEngine, nodeSealCrypto, tlsTransport } from "@sotto/sdk/node";
import { expect, test } from "vitest";
import { byteCanary, canary } from "./needles.ts";
import { found, withSearchedServer } from "./searched-server.ts";

const open = (store: MemoryStore) =>
  SottoClient.open({
    store,
    transport: tlsTransport,
    sealCrypto: nodeSealCrypto,
    mlsEngine: nodeMlsEngine,
    keyPackagesTarget: 5,
  });

async function heard(client: SottoClient, text: string): Promise<boolean> {
  for await (const entry of client.history())
    if (entry.type === "message" && entry.text === text) return true;
  return false;
}

test("what devices keep for each other, tell each other and tell newcomers is found nowhere on the server's side", async () => {
  await withSearchedServer(async (server, data) => {
    const text = canary("what was said before the second device came");
    const store = new MemoryStore();
    const invite = server.ownerInvite ?? "";
    await joinServer({ invite, name: "alice", store, transport: tlsTransport });
    await using laptop = await open(store);
    await laptop.rooms.waitFor("general", 15_000);
    await laptop.send("general", text.text);

    const link = await laptop.devices.link();
    const linked = link.complete(new AbortController().signal);
    const { secret } = parseLinkCode(link.code);
    const phoneStore = new MemoryStore();
    const deviceName = "phone";
    await joinByLink({ code: link.code, deviceName, store: phoneStore, transport: tlsTransport });
    await linked;
    await using phone = await open(phoneStore);
    // It was not in the room then: it has it from the archive, so the server kept and carried it.
    await expect.poll(() => heard(phone, text.text), { timeout: 60_000 }).toBe(true);

    // A newcomer is told of it by a member: sealed, and by way of the server again.
    const bobStore = new MemoryStore();
    const { invite: forBob } = await laptop.invite();
    await joinServer({ invite: forBob, name: "bob", store: bobStore, transport: tlsTransport });
    await using bob = await open(bobStore);
    await expect.poll(() => heard(bob, text.text), { timeout: 60_000 }).toBe(true);
    const words = (await laptop.devices.recovery.create()).split(" ");

    const { seal, mls } = phone.profile.secrets;
    const secrets = [
      text,
      canary("words of a recovery phrase", words.slice(0, 4).join(" ")),
      byteCanary("the secret of a link", Buffer.from(secret)),
      byteCanary("a device's sealing key", Buffer.from(seal)),
      byteCanary("a device's MLS key", Buffer.from(mls)),
    ];
    // What it may know of them is found, so it was looked for where it would be.
    const known = canary("a device's name", deviceName);
    for (const { canary: wanted, places } of await found([...secrets, known], server, data)) {
      if (wanted === known) expect(places).toContain("data folder");
      else expect(places, wanted.what).toEqual([]);
    }
  });
}, 240_000);
