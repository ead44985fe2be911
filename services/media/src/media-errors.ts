import { BlobStoreError } from "@sotto/blobs";
import { MediaLinkError } from "@sotto/media-link";
import { ErrorCode, SottoError } from "@sotto/protocol";
import { LaneFull } from "./lanes.ts";

const linkCodeOfBlob: Readonly<Record<BlobStoreError["code"], MediaLinkError["code"]>> = {
  EXISTS: "CONFLICT",
  NOT_FOUND: "NOT_FOUND",
  BAD_RANGE: "BAD_RANGE",
  BAD_KEY: "NOT_FOUND",
  FULL: "FULL",
  UNAVAILABLE: "UNAVAILABLE",
};

/** The one funnel to what the edge is told over the media link. */
export function mediaLinkErrorOf(error: unknown): MediaLinkError {
  if (error instanceof MediaLinkError) return error;
  if (error instanceof LaneFull) {
    return new MediaLinkError("BUSY", "too much is under way", { cause: error });
  }
  if (error instanceof BlobStoreError) {
    return new MediaLinkError(linkCodeOfBlob[error.code], "the blob store refused", {
      cause: error,
    });
  }
  return new MediaLinkError("UNAVAILABLE", "the object cannot be had now", { cause: error });
}

/** The one funnel to what a client is told of a command; what is no refusal stays as it is. */
export function commandErrorOf(error: unknown): unknown {
  if (error instanceof LaneFull) {
    return new SottoError(ErrorCode.BUSY, "too much is under way", { cause: error });
  }
  if (!(error instanceof BlobStoreError)) return error;
  if (error.code === "FULL") {
    return new SottoError(ErrorCode.STORAGE_FULL, "the server's storage is full", { cause: error });
  }
  if (error.code !== "UNAVAILABLE") return error;
  return new SottoError(ErrorCode.UNAVAILABLE, "the storage cannot be reached", { cause: error });
}
