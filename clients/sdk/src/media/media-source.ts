/** A file that can be read again from any place: an upload may have to begin anew in the middle. */
export interface MediaSource {
  /** What others see: the last part of a path, at most. */
  readonly name: string;
  /** Plaintext bytes, exactly. */
  readonly bytes: number;
  /** A media type, as a hint for players. */
  readonly mime: string;
  /** Equal for the same file with the same content, so that an interrupted upload is found again. */
  readonly fingerprint: string;
  /** Bytes from `start` to the end, in order. Rejects with FILE where the file changed meanwhile. */
  read(start: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
}
