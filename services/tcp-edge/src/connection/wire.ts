/** What a wire tells its owner. */
export interface WireEvents {
  /** Bytes came. They stay as they are until the call returns, and belong to the owner. */
  data(bytes: Uint8Array): void;
  /** After `write` answered false: it may be called again. */
  drained(): void;
  /** Once, when nothing more can be sent or will come. */
  closed(): void;
}

/** The bytes between one client and the edge, whatever carries them: TLS over TCP, or WebSocket. */
export interface Wire {
  readonly transport: "tls" | "web-socket";
  /** Where the client is; from the PROXY header where a configured proxy is in front. */
  readonly address: string;
  /** Input of a login's signature that ties it to this channel; see Authenticate in client.proto. */
  readonly binding: Uint8Array;
  /** Bytes written that the operating system has not taken. */
  readonly bufferedBytes: number;
  /** Begins to deliver events. */
  open(events: WireEvents): void;
  /** Takes the bytes, which nobody may change afterwards. False: wait for `drained`. */
  write(bytes: Uint8Array): boolean;
  /** As `write` of both one after the other, without joining them in memory. */
  writePair(first: Uint8Array, second: Uint8Array): boolean;
  /** Whoever is there has logged in: larger messages may come, where the wire has any. */
  loggedIn(): void;
  /** Stops and resumes `data`. */
  pause(): void;
  resume(): void;
  /** Sends what was written, then ends. */
  end(): void;
  /** Ends now. */
  destroy(): void;
}
