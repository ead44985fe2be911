import { expect, test } from "vitest";
import { combineMetrics, createMetrics } from "./metrics.ts";

test("values stand under the service's prefix, with the default labels", async () => {
  const metrics = createMetrics({ service: "tcp-edge", labels: { edge: "e1" } });
  const frames = metrics.counter({ name: "frames_total", help: "Frames", labels: ["type"] });
  frames.add(2, { type: "record" });
  frames.add(1, { type: "record" });
  metrics.gauge({ name: "connections", help: "Open connections" }).set(7);
  metrics.gaugeOf({ name: "rooms", help: "Rooms" }, () => 4);
  metrics.histogram({ name: "wait_seconds", help: "Wait", buckets: [0.1, 1] }).observe(0.5);
  const text = await metrics.render();
  expect(text).toContain(
    'sotto_tcp_edge_frames_total{type="record",service="tcp-edge",edge="e1"} 3',
  );
  expect(text).toContain('sotto_tcp_edge_connections{service="tcp-edge",edge="e1"} 7');
  expect(text).toContain('sotto_tcp_edge_rooms{service="tcp-edge",edge="e1"} 4');
  expect(text).toMatch(/sotto_tcp_edge_wait_seconds_bucket\{le="1",.*\} 1/);
});

test("services that share a process do not share metrics, and one page can show them all", async () => {
  const presence = createMetrics({ service: "presence" });
  const media = createMetrics({ service: "media" });
  presence.counter({ name: "changes_total", help: "Changes" }).add(1);
  media.counter({ name: "changes_total", help: "Changes" }).add(2);
  expect(await presence.render()).not.toContain("media");
  const page = await combineMetrics([presence, media]).render();
  expect(page).toContain('sotto_presence_changes_total{service="presence"} 1');
  expect(page).toContain('sotto_media_changes_total{service="media"} 2');
});

test("a name is defined once", () => {
  const metrics = createMetrics({ service: "media" });
  metrics.counter({ name: "pieces_total", help: "Pieces" });
  expect(() => metrics.counter({ name: "pieces_total", help: "Pieces" })).toThrow(/pieces_total/);
});
