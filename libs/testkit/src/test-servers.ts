/** A real server that a test may use. Disposing stops what the call itself started. */
export interface TestServer extends AsyncDisposable {
  /** `nats://…` or `redis://…`, with credentials where it has any. */
  readonly url: string;
  /** Where it came from: "env", "docker", "path" or "unpacked". */
  readonly origin: string;
}
