import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Type } from "typebox";
import { expect, onTestFinished, test } from "vitest";
import { ConfigError, defineConfig } from "./define-config.ts";

const definition = defineConfig(
  Type.Object({
    natsUrl: Type.String({ minLength: 8, description: "where NATS listens" }),
    port: Type.Integer({ minimum: 0, maximum: 65_535, default: 7443 }),
    json: Type.Boolean({ default: false }),
    origins: Type.Array(Type.String(), { default: [] }),
    name: Type.Optional(Type.String()),
  }),
  {
    natsUrl: "SOTTO_NATS_URL",
    port: "SOTTO_PORT",
    json: "SOTTO_JSON",
    origins: "SOTTO_ORIGINS",
    name: "SOTTO_NAME",
  },
);

async function fileOf(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sotto-config-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, "sotto.json");
  await writeFile(path, text);
  return path;
}

test("values come from the environment, and defaults fill the rest", () => {
  const config = definition.load({
    SOTTO_NATS_URL: "nats://localhost",
    SOTTO_JSON: "yes",
    SOTTO_ORIGINS: "a, b",
    SOTTO_PORT: "",
  });
  expect(config).toEqual({
    natsUrl: "nats://localhost",
    port: 7443,
    json: true,
    origins: ["a", "b"],
  });
});

test("every problem is named at once by its variable, and no value is shown", () => {
  const load = () =>
    definition.load({ SOTTO_PORT: "70000", SOTTO_JSON: "secret-value", SOTTO_NAME: "x" });
  expect(load).toThrow(ConfigError);
  try {
    load();
  } catch (error) {
    expect((error as ConfigError).problems).toEqual([
      "SOTTO_NATS_URL is missing: where NATS listens",
      "SOTTO_PORT must be <= 65535",
      "SOTTO_JSON must be boolean",
    ]);
    expect((error as ConfigError).message).not.toContain("secret-value");
  }
});

test.each(["1e3", "0x10", "12a", "NaN", "1.5"])("%s is no port", (text) => {
  expect(() => definition.load({ SOTTO_NATS_URL: "nats://localhost", SOTTO_PORT: text })).toThrow(
    /SOTTO_PORT must be/,
  );
});

test("a file stands in where the environment says nothing", async () => {
  const file = await fileOf(
    '{"SOTTO_NATS_URL":"nats://file","SOTTO_PORT":1,"SOTTO_ORIGINS":["a"]}',
  );
  const config = definition.load({ SOTTO_PORT: "2" }, file);
  expect(config).toMatchObject({ natsUrl: "nats://file", port: 2, origins: ["a"] });
});

test("a file's unknown settings, bad JSON and absence are problems like any other", async () => {
  const env = { SOTTO_NATS_URL: "nats://localhost" };
  const unknown = await fileOf('{"SOTTO_POTR":1}');
  expect(() => definition.load(env, unknown)).toThrow("SOTTO_POTR in");
  const broken = await fileOf("{");
  expect(() => definition.load(env, broken)).toThrow("is not JSON");
  expect(() => definition.load(env, "/nowhere/sotto.json")).toThrow("cannot be read");
});
