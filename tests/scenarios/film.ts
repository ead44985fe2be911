import { createHash } from "node:crypto";
import type { MediaSource } from "@sotto/sdk";

/** A film to share, as if it were a file. */
export function sourceOf(bytes: Uint8Array, name = "film.mp4"): MediaSource {
  return {
    name,
    bytes: bytes.length,
    mime: "video/mp4",
    fingerprint: createHash("sha256").update(bytes).digest("hex"),
    async *read(start) {
      for (let at = start; at < bytes.length; at += 500_000) yield bytes.subarray(at, at + 500_000);
    },
  };
}
