import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { selfSigned } from "../../services/tcp-edge/src/self-signed.ts";
import { Company, texts, until } from "../scenarios/company.ts";
import { processEnvironment } from "./config.ts";
import { docker, Stack } from "./stack.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..", "..");

describe("an operator", () => {
  let stack: Stack;
  let company: Company;
  let tls: string;

  /** Replaces the certificate as an ACME client would; answers its fingerprint. */
  async function renewCertificate(): Promise<string> {
    const { key, certificate } = await selfSigned(Date.now());
    await writeFile(join(tls, "privkey.pem"), key, { mode: 0o644 });
    await writeFile(join(tls, "fullchain.pem"), certificate, { mode: 0o644 });
    return new X509Certificate(certificate).fingerprint256;
  }

  const admin = async (...args: readonly string[]) =>
    JSON.parse(await stack.exec("keyserver", "sotto-admin", "--json", ...args)) as Record<
      string,
      unknown
    >;

  beforeAll(async () => {
    tls = await mkdtemp(join(tmpdir(), "sotto-tls-"));
    await chmod(tls, 0o755);
    stack = await Stack.up({ environment: { SOTTO_TLS_FOLDER: tls } });
    const { invite } = await admin("invite", "--owner");
    company = new Company({ ownerInvite: () => String(invite) });
  });

  afterAll(async () => {
    await company?.[Symbol.asyncDispose]();
    await stack?.[Symbol.asyncDispose]();
    await rm(tls, { recursive: true, force: true });
  });

  test("invites the owner, and looks after people", async () => {
    const [alice, bob] = await company.people("alice", "bob");
    await expect(admin("invite", "--owner")).rejects.toThrow(/has its owner: alice/);
    const people = (await admin("people"))["people"] as { name: string; owner: boolean }[];
    expect(people.map(({ name, owner }) => [name, owner])).toEqual([
      ["alice", true],
      ["bob", false],
    ]);
    const startedMs = performance.now();
    await admin("disable", "bob");
    await until("bob is out", () => bob.client.refusal !== undefined);
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    await until("alice removed bob", () => alice.client.rooms.members("general").length === 1);
    await admin("enable", "bob");
    const again = await company.open("bob", bob.store);
    await again.client.online();
    await alice.client.rooms.add("general", "bob");
    await alice.client.send("general", "welcome back");
    await until("bob reads", async () => (await texts(again)).includes("welcome back"));
    const checked = await stack.exec("keyserver", "sotto-admin", "config", "check");
    expect(checked).toContain("The configuration is right.");
    expect(checked).toMatch(/SOTTO_REDIS_PASSWORD +\(hidden\)/);
  });

  test("replaces the certificate, and no connection drops, no profile breaks", async () => {
    const carol = await company.person("carol");
    let losses = 0;
    void (async () => {
      for await (const event of carol.client.live())
        if (event.type === "connection" && event.state === "offline") losses++;
    })();
    const before = await shownFingerprint(stack.port);
    const fingerprint = await renewCertificate();
    expect(fingerprint).not.toBe(before);
    const shown = async () => (await shownFingerprint(stack.port)) === fingerprint;
    await until("the new certificate is shown", shown, 20_000);
    await carol.client.send("general", "still here");
    expect(losses).toBe(0);
    const elsewhere = await company.open("carol", carol.store);
    await elsewhere.client.online();
    await elsewhere[Symbol.asyncDispose]();
    // A broken pair leaves the good one in place.
    await writeFile(join(tls, "privkey.pem"), "nonsense");
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    expect(await shown()).toBe(true);
    const metrics = await stack.metrics(await stack.container("tcp-edge"));
    expect(metrics).toMatch(/sotto_tcp_edge_certificate_expires_seconds\{.*\} \d{10}/);
    await renewCertificate();
  });

  test("finds every container held to what it needs", async () => {
    for (const service of [
      "nats",
      "redis",
      "keyserver",
      "presence",
      "media",
      "tcp-edge",
      "haproxy",
    ]) {
      const { id } = await stack.container(service);
      const [facts] = JSON.parse(await docker("inspect", id)) as {
        Config: { User: string };
        HostConfig: {
          ReadonlyRootfs: boolean;
          CapDrop: string[];
          Memory: number;
          SecurityOpt: string[];
        };
      }[];
      expect(facts?.HostConfig, service).toMatchObject({
        ReadonlyRootfs: true,
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges:true"],
      });
      expect(facts?.HostConfig.Memory, service).toBeGreaterThan(0);
      const uid = (await docker("exec", id, "id", "-u")).trim();
      expect(uid, service).not.toBe("0");
    }
  });

  test("finds that no service may do another's work", async () => {
    const say = async (service: string, subject: string) =>
      await stack.exec(service, "node", "--input-type=module", "-e", natsProbe, service, subject);
    expect(await say("tcp-edge", "SOTTO_LOG.g.0.aa.h")).toContain("violation");
    expect(await say("tcp-edge", "hint.roster")).toContain("violation");
    expect(await say("keyserver", "SOTTO_LOG.g.0.aa.m")).toContain("violation");
    expect(await say("presence", "svc.keyserver.certify")).toContain("violation");
    expect(await say("media", "presence.lease")).toContain("violation");
    expect(await say("presence", "presence.state")).toContain("allowed");
    await expect(stack.exec("media", "ls", "/run/secrets/redis-password")).rejects.toThrow();
    const redis = (...args: readonly string[]) => stack.exec("redis", "redis-cli", ...args);
    expect(await redis("LLEN", "sotto:records")).toContain("NOAUTH");
    const password = (await stack.exec("keyserver", "cat", "/run/secrets/redis-password")).trim();
    const asKeyserver = ["--user", "keyserver", "--pass", password, "--no-auth-warning"];
    expect(await redis(...asKeyserver, "LLEN", "sotto:records")).toMatch(/^\d+/);
    expect(await redis(...asKeyserver, "FLUSHALL")).toContain("NOPERM");
    expect(await redis(...asKeyserver, "SET", "other", "1")).toContain("NOPERM");
  });

  test("who wants the internet sets one value", async () => {
    const config = async (environment: Record<string, string>) => {
      const { stdout } = await run("docker", ["compose", "config", "--format", "json"], {
        cwd: root,
        env: { ...processEnvironment(), ...environment },
      });
      const { services } = JSON.parse(stdout) as {
        services: Record<string, { ports?: object[] }>;
      };
      return services["haproxy"]?.ports;
    };
    expect(await config({})).toEqual([
      expect.objectContaining({ host_ip: "127.0.0.1", published: "7443", target: 7443 }),
    ]);
    expect(await config({ SOTTO_DOMAIN: "chat.example.org" })).toEqual([
      expect.objectContaining({ host_ip: "0.0.0.0", published: "443", target: 7443 }),
    ]);
    expect(await config({ SOTTO_PORT: "9000", SOTTO_BIND: "0.0.0.0" })).toEqual([
      expect.objectContaining({ host_ip: "0.0.0.0", published: "9000" }),
    ]);
  });
});

/** Publishes to a subject as a service's own user; prints whether the server let it. */
const natsProbe = `
  import { readFileSync } from "node:fs";
  import { connectToNats } from "/sotto/libs/nats/src/index.js";
  const [user, subject] = process.argv.slice(-2);
  const password = readFileSync("/run/secrets/nats-password", "utf8").trim();
  const connection = await connectToNats({ servers: "nats://nats:4222", user, password });
  let refused = false;
  void (async () => {
    for await (const { type, error } of connection.status())
      if (type === "error" && /permission/i.test(String(error))) refused = true;
  })();
  connection.publish(subject, new Uint8Array());
  await connection.flush();
  await new Promise((resolve) => setTimeout(resolve, 200));
  console.log(refused ? "violation" : "allowed");
  await connection.close();
`;

async function shownFingerprint(port: number): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect(
      { host: "127.0.0.1", port, ALPNProtocols: ["sotto/1"], rejectUnauthorized: false },
      () => {
        resolve(socket.getPeerCertificate().fingerprint256);
        socket.destroy();
      },
    );
    socket.once("error", reject);
  });
}
