import { expect, test } from "vitest";
import { startAdmin } from "./admin.ts";
import { silentLogger } from "./logger.ts";
import { createMetrics } from "./metrics.ts";
import { StartError } from "./start-error.ts";

const metrics = createMetrics({ service: "media" });
const open = (checks: Record<string, () => boolean>, port = 0) =>
  startAdmin({ port, metrics, checks, logger: silentLogger });

test("it listens on loopback unless told otherwise", async () => {
  await using admin = await open({});
  expect(admin.host).toBe("127.0.0.1");
  expect((await fetch(`http://127.0.0.1:${admin.port}/livez`)).status).toBe(200);
});

test("readiness names every failing check, one that throws included", async () => {
  let bus = false;
  await using admin = await open({
    bus: () => bus,
    store: () => {
      if (!bus) throw new Error("gone");
      return true;
    },
    log: () => true,
  });
  const failing = await fetch(`http://127.0.0.1:${admin.port}/readyz`);
  expect(failing.status).toBe(503);
  expect(await failing.json()).toEqual({ status: "not ready", failing: ["bus", "store"] });
  bus = true;
  const ready = await fetch(`http://127.0.0.1:${admin.port}/readyz`);
  expect(ready.status).toBe(200);
  expect(await ready.json()).toEqual({ status: "ready" });
});

test("a service that is leaving says so, whatever it could still do", async () => {
  let leaving = false;
  await using admin = await startAdmin({
    port: 0,
    metrics,
    checks: {},
    leaving: () => leaving,
    logger: silentLogger,
  });
  const status = async () => (await fetch(`http://127.0.0.1:${admin.port}/readyz`)).status;
  expect(await status()).toBe(200);
  leaving = true;
  expect(await status()).toBe(404);
});

test("metrics come in the text format", async () => {
  metrics.counter({ name: "pieces_total", help: "Pieces" }).add(1);
  await using admin = await open({});
  const response = await fetch(`http://127.0.0.1:${admin.port}/metrics`);
  expect(response.headers.get("content-type")).toContain("text/plain; version=0.0.4");
  expect(await response.text()).toContain('sotto_media_pieces_total{service="media"} 1');
});

test("a taken port is a StartError of one line", async () => {
  await using admin = await open({});
  const second = open({}, admin.port);
  await expect(second).rejects.toThrow(StartError);
  await expect(second).rejects.toThrow(`cannot listen on 127.0.0.1:${admin.port}`);
});
