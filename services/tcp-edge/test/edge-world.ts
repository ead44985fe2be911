import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import type { Bus } from "@sotto/bus";
import { createInProcessBus } from "@sotto/bus/in-process";
import { createMetrics, silentLogger } from "@sotto/chassis";
import { systemClock } from "@sotto/clock";
import { PresenceSnapshotResponseSchema, subjects } from "@sotto/interservice";
import type { Log } from "@sotto/log";
import { openSegmentLog } from "@sotto/log/segment";
import { fromHex, type RoomId } from "@sotto/protocol";
import { type Edge, type EdgeConfig, startEdge } from "../src/index.ts";
import { FakeKeyserver, type TestDevice } from "./fake-keyserver.ts";
import { FakeMedia } from "./fake-media.ts";

import { TestClient } from "./test-client.ts";

/** An edge on real sockets and a real log, with the other services played by fakes. */
export class EdgeWorld implements AsyncDisposable {
  readonly bus: Bus;
  readonly log: Log;
  readonly keyserver: FakeKeyserver;
  readonly media: FakeMedia;
  readonly edge: Edge;
  readonly metrics: { render(): Promise<string> };
  readonly #folder: string;

  private constructor(
    parts: Pick<EdgeWorld, "bus" | "log" | "keyserver" | "media" | "edge" | "metrics">,
    folder: string,
  ) {
    this.bus = parts.bus;
    this.log = parts.log;
    this.keyserver = parts.keyserver;
    this.media = parts.media;
    this.edge = parts.edge;
    this.metrics = parts.metrics;
    this.#folder = folder;
  }

  static async start(config: Partial<EdgeConfig> = {}): Promise<EdgeWorld> {
    const folder = await mkdtemp(join(tmpdir(), "edge-world-"));
    const bus = createInProcessBus();
    const log = await openSegmentLog({ folder: join(folder, "log"), clock: systemClock });
    const keyserver = new FakeKeyserver(bus, log);
    await keyserver.serve();
    await bus.serve(
      subjects.presenceSnapshot,
      async () =>
        toBinary(
          PresenceSnapshotResponseSchema,
          create(PresenceSnapshotResponseSchema, { ready: true }),
        ),
      { queue: "presence" },
    );
    const media = new FakeMedia();
    await media.serve(bus);
    const metrics = createMetrics({ service: "tcp-edge" });
    const edge = await startEdge({
      bus,
      log,
      mediaLink: media,
      clock: systemClock,
      logger: silentLogger,
      metrics,
      config: {
        port: 0,
        certificate: { kind: "folder", folder: join(folder, "tls") },
        drainTimeoutMs: 1000,
        ...config,
      },
    });
    return new EdgeWorld({ bus, log, keyserver, media, edge, metrics }, folder);
  }

  get port(): number {
    return this.edge.address.port;
  }

  connect(): Promise<TestClient> {
    return TestClient.connect(this.port);
  }

  /** A client that is logged in. */
  async online(device: TestDevice, quiet = false): Promise<TestClient> {
    const client = await this.connect();
    const answer = await client.logIn(device, quiet);
    if (answer.case !== "authenticated") throw new Error(`login: ${JSON.stringify(answer.case)}`);
    return client;
  }

  /** An Append under the room's present handshake record. */
  append(room: RoomId, id: number, text = "x") {
    return {
      case: "append" as const,
      value: {
        room: fromHex(room),
        id: new Uint8Array(16).fill(id),
        handshake: BigInt(this.keyserver.roster(room).foldedTo),
        sealed: Buffer.from(text),
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.edge[Symbol.asyncDispose]();
    await this.bus[Symbol.asyncDispose]();
    await this.log[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
