import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConfigError } from "@sotto/chassis";
import { expect, onTestFinished, test } from "vitest";
import { checkSettings, pickSettings, publicAddress, settings, variables } from "./index.ts";

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "sotto-settings-"));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

test("every setting has a variable of its own and says what it is for", () => {
  expect(Object.keys(variables).sort()).toEqual(Object.keys(settings).sort());
  expect(new Set(Object.values(variables)).size).toBe(Object.keys(settings).length);
  for (const [name, schema] of Object.entries(settings))
    expect(schema, name).toHaveProperty("description");
});

test("a program gets its own settings, defaults of its own included", () => {
  const config = pickSettings(["port", "jsonLogs", "natsUrl"], { jsonLogs: false }).load({
    SOTTO_NATS_URL: "nats://a:4222",
    SOTTO_REDIS_URL: "not its business",
  });
  expect(config).toEqual({ port: 7443, jsonLogs: false, natsUrl: "nats://a:4222" });
});

test("a secret comes from the file that its variable names, and from nowhere else", async () => {
  const path = join(await folder(), "token");
  await writeFile(path, "0123456789abcdef\n");
  const definition = pickSettings(["mediaToken", "host"]);
  expect(definition.load({ SOTTO_MEDIA_TOKEN_FILE: path })).toMatchObject({
    mediaToken: "0123456789abcdef",
  });
  expect(() => definition.load({ SOTTO_MEDIA_TOKEN_FILE: "/nowhere" })).toThrow(
    /SOTTO_MEDIA_TOKEN_FILE: \/nowhere cannot be read/,
  );
  expect(definition.load({ SOTTO_MEDIA_TOKEN_FILE: path, SOTTO_HOST_FILE: path })).toMatchObject({
    host: "127.0.0.1",
  });
});

test("all problems are told at once, those of several settings together too", () => {
  try {
    pickSettings(["natsUrl", "natsUser", "natsPassword", "port", "limits", "tlsKeyFile"]).load({
      SOTTO_NATS_URL: "http://a",
      SOTTO_NATS_USER: "me",
      SOTTO_PORT: "seven",
      SOTTO_LIMITS: "nonsense=1",
      SOTTO_TLS_KEY: "key.pem",
    });
    expect.unreachable();
  } catch (error) {
    expect((error as ConfigError).problems).toEqual([
      "SOTTO_PORT must be integer",
      "SOTTO_TLS_CERTIFICATE is missing: SOTTO_TLS_KEY is of no use without it",
      "SOTTO_NATS_PASSWORD is missing: SOTTO_NATS_USER is of no use without it",
      "SOTTO_NATS_URL must begin with nats://",
      "SOTTO_LIMITS takes name=number with a name of PROTOCOL.md, not nonsense=1",
    ]);
  }
});

test("one file serves all programs, and a name that none knows is told", async () => {
  const path = join(await folder(), "sotto.json");
  await writeFile(path, JSON.stringify({ SOTTO_PORT: 9000, SOTTO_LOG_STREAMS: 8 }));
  expect(pickSettings(["port"]).load({ SOTTO_CONFIG: path })).toEqual({ port: 9000 });
  await writeFile(path, JSON.stringify({ SOTTO_PROT: 9000 }));
  expect(() => pickSettings(["port"]).load({}, path)).toThrow("SOTTO_PROT in");
});

test("a check judges what is set, shows no secret and guesses at misspelt names", () => {
  const secret = "0123456789abcdef";
  const right = checkSettings({ SOTTO_PORT: "1", SOTTO_MEDIA_TOKEN: secret });
  expect(right.problems).toEqual([]);
  expect(JSON.stringify(right)).not.toContain(secret);
  expect(right.settings).toContainEqual(
    expect.objectContaining({ variable: "SOTTO_PORT", value: "1", from: "environment" }),
  );
  expect(right.settings).toContainEqual(
    expect.objectContaining({ variable: "SOTTO_HOST", value: "127.0.0.1", from: "default" }),
  );
  const wrong = checkSettings({ SOTTO_PORT: "70000", SOTTO_DOMIAN: "x", SOTTO_LOG_STREAMS: "0" });
  expect(wrong.problems).toEqual([
    "SOTTO_PORT must be <= 65535",
    "SOTTO_LOG_STREAMS must be >= 1",
    "SOTTO_DOMIAN is not a setting; did you mean SOTTO_DOMAIN?",
  ]);
});

test("invites carry the address that is given, else where the server listens", () => {
  expect(publicAddress({ host: "127.0.0.1", address: "chat.example.org" }, 443)).toEqual({
    host: "chat.example.org",
    port: 443,
    localOnly: false,
  });
  expect(publicAddress({ host: "127.0.0.1", address: undefined }, 7443)).toEqual({
    host: "127.0.0.1",
    port: 7443,
    localOnly: true,
  });
});
