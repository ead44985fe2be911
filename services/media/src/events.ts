import type { Logger, Metrics } from "@sotto/chassis";

/** Every metric and log line of the media service. */
export interface MediaEvents {
  objectCreated(): void;
  pieceStored(bytes: number): void;
  objectCompleted(): void;
  objectDeleted(): void;
  streamOpened(): void;
  bytesRead(bytes: number): void;
  linkRefused(code: string): void;
  storageFull(): void;
  collected(abandoned: number, leftovers: number): void;
  failed(error: unknown): void;
}

export interface MediaFigures {
  streams(): number;
  piecesInFlight(): number;
}

export function mediaEvents(logger: Logger, metrics: Metrics, figures: MediaFigures): MediaEvents {
  metrics.gaugeOf({ name: "streams", help: "Streams that are open" }, figures.streams);
  metrics.gaugeOf(
    { name: "pieces_in_flight", help: "Pieces being stored or waiting for that" },
    figures.piecesInFlight,
  );
  const objects = metrics.counter({
    name: "objects_total",
    help: "What became of objects",
    labels: ["event"],
  });
  const pieces = metrics.counter({ name: "pieces_stored_total", help: "Pieces made durable" });
  const storedBytes = metrics.counter({ name: "stored_bytes_total", help: "Bytes made durable" });
  const opened = metrics.counter({ name: "streams_opened_total", help: "Streams begun" });
  const readBytes = metrics.counter({ name: "read_bytes_total", help: "Bytes handed to edges" });
  const refused = metrics.counter({
    name: "link_refusals_total",
    help: "Calls of the media link that were refused",
    labels: ["code"],
  });
  return {
    objectCreated: () => objects.add(1, { event: "created" }),
    pieceStored(bytes) {
      pieces.add(1);
      storedBytes.add(bytes);
    },
    objectCompleted: () => objects.add(1, { event: "completed" }),
    objectDeleted: () => objects.add(1, { event: "deleted" }),
    streamOpened: () => opened.add(1),
    bytesRead: (bytes) => readBytes.add(bytes),
    linkRefused: (code) => refused.add(1, { code }),
    storageFull: () => logger.error("the blob store is full, uploads are refused"),
    collected(abandoned, leftovers) {
      objects.add(abandoned, { event: "abandoned" });
      if (abandoned + leftovers > 0) logger.info("leftovers collected", { abandoned, leftovers });
    },
    failed: (error) => logger.error("a media operation failed", { err: errorOf(error) }),
  };
}

function errorOf(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
