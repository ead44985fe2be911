import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMetrics, silentLogger } from "@sotto/chassis";
import { systemClock } from "@sotto/clock";
import { openSqliteDirectory } from "@sotto/directory/sqlite";
import { inviteKeys, sha256 } from "@sotto/identity";
import { loadServerKeys, startKeyserver } from "@sotto/keyserver";
import { openJetStreamLog } from "@sotto/log/jetstream";
import { CloseCode, fromHex, parseUserId } from "@sotto/protocol";
import { natsServer, serverOrSkip } from "@sotto/testkit";
import { afterAll, expect, test } from "vitest";
import { connectNatsBus } from "../../libs/bus/src/nats.ts";
import { newDevice, type TestDevice, TestPerson } from "../../libs/identity/test/person.ts";
import { createInProcessMediaLink } from "../../libs/media-link/src/in-process.ts";
import { type Edge, startEdge } from "../../services/tcp-edge/src/index.ts";
import { type RequestBody, TestClient } from "../../services/tcp-edge/test/test-client.ts";

const nats = await serverOrSkip("NATS", () => natsServer({}));
afterAll(() => nats?.[Symbol.asyncDispose]());

/** Two keyservers that share a directory, and two edges, all on NATS; each has a connection of its own. */
async function startServers(owned: AsyncDisposableStack, url: string) {
  const folder = await mkdtemp(join(tmpdir(), "sotto-revocation-"));
  owned.defer(() => rm(folder, { recursive: true, force: true }));
  const store = owned.use(await openSqliteDirectory({ folder: join(folder, "directory") }));
  const keys = await loadServerKeys(join(folder, "identity"));
  const world = { clock: systemClock, logger: silentLogger };
  const parts = async () => ({
    bus: owned.use(await connectNatsBus({ servers: url })),
    log: owned.use(
      await openJetStreamLog({ server: { servers: url }, clock: systemClock, streams: 1 }),
    ),
  });
  const keyservers = [];
  for (let n = 0; n < 2; n++) {
    const metrics = createMetrics({ service: "keyserver" });
    keyservers.push(
      owned.use(await startKeyserver({ ...world, ...(await parts()), store, keys, metrics })),
    );
  }
  const edges: Edge[] = [];
  for (let n = 0; n < 2; n++)
    edges.push(
      owned.use(
        await startEdge({
          ...world,
          ...(await parts()),
          mediaLink: createInProcessMediaLink().link,
          metrics: createMetrics({ service: "tcp-edge" }),
          config: {
            port: 0,
            certificate: { kind: "folder", folder: join(folder, `tls-${n}`) },
            drainTimeoutMs: 100,
          },
        }),
      ),
    );
  const secret = await keyservers[0]?.ownerInvite();
  if (!secret) throw new Error("no owner's invite");
  return { edges, ownerInvite: await inviteKeys(secret) };
}

async function ask(client: TestClient, body: RequestBody, expected: string): Promise<void> {
  const answer = await client.request(body);
  if (answer.case !== expected) throw new Error(`answered ${JSON.stringify(answer.value)}`);
}

async function online(edge: Edge | undefined, user: string, { id, auth }: TestDevice) {
  const client = await TestClient.connect(edge?.address.port ?? 0);
  const answer = await client.logIn({ user: parseUserId(user), device: id, auth }, true);
  if (answer.case !== "authenticated") throw new Error("the login was refused");
  return client;
}

const submit = (record: Uint8Array): RequestBody => ({ case: "submitRecord", value: { record } });

/** Milliseconds until the client was told that its device is revoked. */
async function cutOff(client: TestClient, since: number): Promise<number> {
  await client.until(() => client.isGone);
  expect(client.closed?.code).toBe(CloseCode.DEVICE_REVOKED);
  return performance.now() - since;
}

test.runIf(nats)("a revoked device is cut off on another edge within a second", async () => {
  await using owned = new AsyncDisposableStack();
  const { edges, ownerInvite } = await startServers(owned, nats?.url ?? "");
  const alice = await TestPerson.named("alice", ownerInvite.inviteKey);
  const first = owned.use(await TestClient.connect(edges[0]?.address.port ?? 0));
  const record = await alice.create();
  const { serverToken } = ownerInvite;
  await ask(first, { case: "register", value: { serverToken, record } }, "registered");
  await first.logIn({ user: alice.user, device: alice.first.id, auth: alice.first.auth }, true);
  const phone = await newDevice();
  await ask(first, submit(await alice.add(phone)), "recordStored");
  const there = owned.use(await online(edges[1], alice.user, phone));
  const revoke = submit(await alice.revoke(phone.id));
  const since = performance.now();
  const revoked = ask(first, revoke, "recordStored");
  expect(await cutOff(there, since)).toBeLessThan(1000);
  await revoked;
  const back = owned.use(await TestClient.connect(edges[1]?.address.port ?? 0));
  const again = await back.logIn({ user: alice.user, device: phone.id, auth: phone.auth }, true);
  expect(again.case).toBe("error");
});

test.runIf(nats)(
  "when an identity begins anew, all its old devices are cut off at once",
  async () => {
    await using owned = new AsyncDisposableStack();
    const { edges, ownerInvite } = await startServers(owned, nats?.url ?? "");
    const enter = async (name: string, invite: typeof ownerInvite) => {
      const person = await TestPerson.named(name, invite.inviteKey);
      const client = owned.use(await TestClient.connect(edges[0]?.address.port ?? 0));
      const { serverToken } = invite;
      const value = { serverToken, record: await person.create() };
      await ask(client, { case: "register", value }, "registered");
      await client.logIn({ user: person.user, device: person.first.id, auth: person.first.auth });
      return { person, client };
    };
    const invite = async (by: TestClient) => {
      const keys = await inviteKeys(randomBytes(32));
      const value = { tokenHash: await sha256(keys.serverToken), uses: 1 };
      await ask(by, { case: "createInvite", value }, "inviteCreated");
      return keys;
    };
    const alice = await enter("alice", ownerInvite);
    const bob = await enter("bob", await invite(alice.client));
    const [phone, paper, fresh] = [await newDevice(), await newDevice(), await newDevice()];
    await ask(bob.client, submit(await bob.person.add(phone)), "recordStored");
    await ask(bob.client, submit(await bob.person.recovery(paper)), "recordStored");
    const others = [
      owned.use(await online(edges[1], bob.person.user, phone)),
      owned.use(await online(edges[1], bob.person.user, paper)),
    ];
    const oneTime = [randomBytes(20)];
    const packages = { oneTime, lastResort: randomBytes(20) };
    await ask(bob.client, { case: "publishKeyPackages", value: packages }, "keyPackageCount");
    const again = await invite(alice.client);
    const allowed = await alice.person.allows(bob.person.place(), again.inviteKey);
    const record = await bob.person.reset(fresh, again.inviteKey, allowed);
    const stranger = owned.use(await TestClient.connect(edges[0]?.address.port ?? 0));
    const since = performance.now();
    const { serverToken } = again;
    const begun = ask(stranger, { case: "register", value: { serverToken, record } }, "registered");
    for (const client of [bob.client, ...others])
      expect(await cutOff(client, since)).toBeLessThan(1000);
    await begun;
    owned.use(await online(edges[0], bob.person.user, fresh));
    const claim = { users: [], devices: [fromHex(bob.person.first.id)] };
    const claimed = await alice.client.request({ case: "claimKeyPackages", value: claim });
    expect(claimed).toMatchObject({ case: "keyPackageList", value: { packages: [] } });
  },
);
