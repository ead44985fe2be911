import { connectNatsBus } from "@sotto/bus/nats";
import { type Logger, type Metrics, type RunningService, startAdmin } from "@sotto/chassis";
import { systemClock } from "@sotto/clock";
import { openJetStreamLog } from "@sotto/log/jetstream";
import { connectHttpMediaLink } from "@sotto/media-link/http";
import { natsOf, parseLimits } from "@sotto/settings";
import type { CertificateSource } from "./certificate.ts";
import type { ProcessConfig } from "./config.ts";
import { startEdge } from "./edge.ts";

export interface ComposeDeps {
  readonly config: ProcessConfig;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** An edge as a process of its own: bus and log on NATS, media over HTTP. All of it goes into `owned`. */
export async function composeEdge(
  owned: AsyncDisposableStack,
  { config, logger, metrics }: ComposeDeps,
): Promise<RunningService> {
  const bus = owned.use(
    await connectNatsBus({
      ...natsOf(config),
      name: "tcp-edge",
      onError: (error) => logger.error("a handler of the bus failed", { error: String(error) }),
    }),
  );
  const log = owned.use(
    await openJetStreamLog({
      server: { ...natsOf(config), name: "tcp-edge log" },
      clock: systemClock,
      streams: config.logStreams,
      replicas: config.logReplicas,
    }),
  );
  const mediaLink = owned.use(
    connectHttpMediaLink({ baseUrl: config.mediaUrl, token: config.mediaToken }),
  );
  const edge = owned.use(
    await startEdge({
      bus,
      log,
      mediaLink,
      clock: systemClock,
      logger,
      metrics,
      config: {
        ...config,
        certificate: certificateSource(config),
        limits: parseLimits(config.limits),
      },
    }),
  );
  // Not whether NATS is there this moment: for its restart nobody needs another edge, which has none either.
  const checks = { edge: () => edge.ready() };
  let isLeaving = false;
  const leaving = () => isLeaving;
  const { adminHost: host, adminPort: port } = config;
  owned.use(await startAdmin({ host, port, metrics, checks, leaving, logger }));
  return {
    async drain(signal) {
      // Whoever is sent away now and comes back at once must not be sent here again.
      isLeaving = true;
      if (config.drainDelayMs > 0)
        await systemClock.sleep(config.drainDelayMs, signal).catch(() => {});
      await edge.drain();
    },
  };
}

function certificateSource(config: ProcessConfig): CertificateSource {
  const { tlsKeyFile: keyFile, tlsCertificateFile: certificateFile, tlsFolder, data } = config;
  if (keyFile && certificateFile) return { kind: "files", keyFile, certificateFile };
  return { kind: "folder", folder: data, ...(tlsFolder ? { given: tlsFolder } : {}) };
}
