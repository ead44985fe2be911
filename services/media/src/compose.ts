import { statfs } from "node:fs/promises";
import { openFileSystemBlobs } from "@sotto/blobs/file-system";
import { connectNatsBus } from "@sotto/bus/nats";
import { type Logger, type Metrics, type RunningService, startAdmin } from "@sotto/chassis";
import { systemClock } from "@sotto/clock";
import { serveHttpMediaLink } from "@sotto/media-link/http";
import { natsOf } from "@sotto/settings";
import type { MediaConfig } from "./config.ts";
import { startMedia } from "./start-media.ts";

export interface ComposeDeps {
  readonly config: MediaConfig;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** A media service as a process of its own: bus on NATS, pieces on a file system. All of it goes into `owned`. */
export async function composeMedia(
  owned: AsyncDisposableStack,
  { config, logger, metrics }: ComposeDeps,
): Promise<RunningService> {
  const onError = (error: unknown) =>
    logger.error("a handler of the bus failed", { error: String(error) });
  const bus = owned.use(await connectNatsBus({ ...natsOf(config), name: "media", onError }));
  const blobs = owned.use(await openFileSystemBlobs({ folder: config.blobsFolder }));
  const { mediaLinkHost: host, mediaLinkPort: port, mediaToken: token } = config;
  const media = owned.use(
    await startMedia({
      bus,
      blobs,
      serveLink: (handler) => serveHttpMediaLink({ host, port, token, handler }),
      clock: systemClock,
      logger,
      metrics,
    }),
  );
  await watchSpace(owned, config.blobsFolder, metrics);
  const checks = { media: () => media.ready(), bus: () => bus.connected };
  const { adminHost, adminPort } = config;
  owned.use(await startAdmin({ host: adminHost, port: adminPort, metrics, checks, logger }));
  return {};
}

const spacePeriodMs = 30_000;

/** Shows how much room is left on the disk of the pieces. */
async function watchSpace(
  owned: AsyncDisposableStack,
  folder: string,
  metrics: Metrics,
): Promise<void> {
  let free = await freeBytes(folder);
  const timer = systemClock.every(spacePeriodMs, () => {
    freeBytes(folder).then(
      (bytes) => {
        free = bytes;
      },
      () => {},
    );
  });
  owned.defer(async () => timer.cancel());
  metrics.gaugeOf({ name: "free_bytes", help: "Room left on the disk of the pieces" }, () => free);
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
