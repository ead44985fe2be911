import type { BlobStore } from "@sotto/blobs";
import type { Bus } from "@sotto/bus";
import type { Logger, Metrics } from "@sotto/chassis";
import type { Clock } from "@sotto/clock";
import { ServiceCallSchema, serve, subjects } from "@sotto/interservice";
import type { MediaHandler, MediaLinkServer } from "@sotto/media-link";
import { ResponseSchema } from "@sotto/protocol";
import { Collector } from "./collector.ts";
import { type MediaEvents, mediaEvents } from "./events.ts";
import { answerCommand } from "./media-commands.ts";
import { commandErrorOf } from "./media-errors.ts";
import { MediaPieces } from "./media-handler.ts";
import { type MediaLimits, mediaLimits } from "./media-limits.ts";
import type { ObjectRef } from "./object-keys.ts";
import { ObjectStore } from "./object-store.ts";
import { Uploads } from "./uploads.ts";

export interface MediaOptions {
  readonly bus: Bus;
  readonly blobs: BlobStore;
  /** Opens the media service's side of the link. */
  readonly serveLink: (handler: MediaHandler) => Promise<MediaLinkServer>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly limits?: Partial<MediaLimits>;
}

/** A running media service. Disposing ends streams and waits for the pieces under way. */
export interface Media extends AsyncDisposable {
  ready(): boolean;
}

/** Starts a media service. Several may share one blob store. */
export async function startMedia(options: MediaOptions): Promise<Media> {
  const { bus, blobs, clock, logger, metrics } = options;
  const limits = { ...mediaLimits, ...options.limits };
  const events = mediaEvents(logger, metrics, {
    streams: () => handler.streams,
    piecesInFlight: () => uploads.piecesInFlight,
  });
  const store = new ObjectStore(blobs, limits);
  const uploads = new Uploads(store, clock, limits, events);
  const handler = new MediaPieces(store, uploads, limits, events);
  const deps = { store, uploads, clock, limits, events };
  await using started = new AsyncDisposableStack();
  started.use(await options.serveLink(handler));
  started.defer(() => handler.close());
  started.use(
    await serve(
      bus,
      subjects.mediaCommand,
      "media",
      ServiceCallSchema,
      ResponseSchema,
      async (call) => {
        try {
          return { body: await answerCommand(call, deps) };
        } catch (error) {
          throw commandErrorOf(error);
        }
      },
      { onFailure: (error) => events.failed(error) },
    ),
  );
  const collecting = collectRegularly(new Collector(blobs, store, limits), deps);
  started.defer(() => collecting.stop());
  let running = true;
  const parts = started.move();
  return {
    ready: () => running && bus.connected,
    async [Symbol.asyncDispose]() {
      running = false;
      await parts.disposeAsync();
    },
  };
}

interface Collecting {
  stop(): Promise<void>;
}

function collectRegularly(
  collector: Collector,
  deps: {
    readonly store: ObjectStore;
    readonly uploads: Uploads;
    readonly clock: Clock;
    readonly limits: MediaLimits;
    readonly events: MediaEvents;
  },
): Collecting {
  const { store, uploads, clock, limits, events } = deps;
  const stopping = new AbortController();
  let underWay: Promise<void> | undefined;
  const discard = (ref: ObjectRef, still: () => Promise<boolean>) =>
    uploads.alone(ref, async () => {
      if (!(await still())) return false;
      uploads.forget(ref);
      await store.delete(ref);
      return true;
    });
  const collect = async () => {
    try {
      const { abandoned, leftovers } = await collector.collect(
        clock.now(),
        discard,
        stopping.signal,
      );
      events.collected(abandoned, leftovers);
    } catch (error) {
      events.failed(error);
    }
    underWay = undefined;
  };
  const timer = clock.every(limits.collectPeriodMs, () => {
    underWay ??= collect();
  });
  return {
    async stop() {
      timer.cancel();
      stopping.abort();
      await underWay;
    },
  };
}
