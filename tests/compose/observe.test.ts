import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { promtoolCommand } from "@sotto/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Stack } from "./stack.ts";

const run = promisify(execFile);
const folder = join(import.meta.dirname, "..", "..", "infra", "prometheus");

let stack: Stack;

beforeAll(async () => {
  stack = await Stack.up();
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
});

test("Prometheus takes its configuration and the alert rules", async () => {
  const { file, leading } = await promtoolCommand();
  const check = (...args: readonly string[]) => run(file, [...leading, "check", ...args]);
  expect((await check("config", join(folder, "prometheus.yml"))).stdout).toContain("SUCCESS");
  expect((await check("rules", join(folder, "alerts.yml"))).stdout).toContain("SUCCESS");
});

test("every metric that an alert looks at is exported, with the labels that it names", async () => {
  const pages = [];
  for (const service of ["tcp-edge", "keyserver", "presence", "media"])
    pages.push(await stack.metrics(await stack.container(service)));
  const haproxy = await stack.exec(
    "haproxy",
    ...["wget", "-q", "-O", "-", "http://127.0.0.1:8404/metrics"],
  );
  const exported = [...pages, haproxy].join("\n");
  const expressions = [...readFileSync(join(folder, "alerts.yml"), "utf8").matchAll(/expr: (.*)/g)];
  expect(expressions.length).toBeGreaterThan(10);
  const names = new Set(
    expressions.flatMap(([, expression = ""]) =>
      [...expression.matchAll(/\b[a-z]+_[a-z_0-9]+\b(?!")/g)].map(([name]) => name),
    ),
  );
  expect(names.size).toBeGreaterThan(10);
  // A counter with labels has no value before its first event, but it says of what type it is.
  const missing = [...names].filter((name) => !exported.includes(`# TYPE ${name} `));
  expect(missing).toEqual([]);
  expect(exported).toMatch(/haproxy_backend_active_servers\{.*proxy="edges".*\} 1/);
});
