/**
 * The transport port: a connection that carries the frame stream's bytes. The core sees neither
 * sockets nor TLS; it sees bytes, and what binds the login to the channel.
 */
export interface Transport {
  /** Opens a connection. Rejects with `SottoClientError` NOT_REACHABLE, or the signal's reason. */
  connect(
    address: ServerAddress,
    events: TransportEvents,
    signal: AbortSignal,
  ): Promise<TransportConnection>;
}

/** Where a server listens. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** What a transport tells of a connection. */
export interface TransportEvents {
  /** Bytes in order. The receiver may keep them. */
  data(bytes: Uint8Array): void;
  /** Called once, after which nothing follows. */
  closed(reason: string): void;
  /** Everything that was sent has left the transport's buffer. */
  drained(): void;
}

/** An open connection. */
export interface TransportConnection {
  /** What ties a login to this channel: the TLS exporter, or the origin over WebSocket. */
  readonly binding:
    | { readonly kind: "exporter"; readonly exporter: Uint8Array }
    | { readonly kind: "origin"; readonly origin: string };
  /** SHA-256 of the server certificate's public key, where the platform shows it. */
  readonly peerKeySha256: Uint8Array | undefined;
  /** Takes the bytes; they must not change afterwards. Answers false while its buffer is full. */
  send(bytes: Uint8Array): boolean;
  /** Ends it; `closed` is called, where it was not yet. */
  close(): void;
}
