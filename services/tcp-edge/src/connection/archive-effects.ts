import { ErrorCode, fromHex } from "@sotto/protocol";
import type { Effect } from "../session/effect.ts";
import { type ResponseBody, refusal } from "../session/response-body.ts";
import { appendedBody } from "./appended-body.ts";
import type { EdgeParts } from "./parts.ts";
import type { ConnectionPort } from "./port.ts";

type AppendEffect = Extract<Effect, { kind: "appendArchive" }>;
type ReadEffect = Extract<Effect, { kind: "readArchive" }>;

/** Performs what a session wants done with the archive of its user. */
export class ArchiveEffects {
  readonly #port: ConnectionPort;
  readonly #parts: EdgeParts;

  constructor(port: ConnectionPort, parts: EdgeParts) {
    this.#port = port;
    this.#parts = parts;
  }

  append({ stream, id, data }: AppendEffect): void {
    const { archives, devices, clock } = this.#parts;
    const { user, device } = this.#port.principal;
    if (!this.#holds(stream)) return;
    const retryAfterMs = devices.takeAppend(device, clock.monotonic());
    if (retryAfterMs > 0) {
      const body = refusal(ErrorCode.RATE_LIMITED, "too many records", { retryAfterMs });
      this.#port.feed({ kind: "answered", stream, body });
      return;
    }
    this.#port.answer(stream, archives.append(user, device, id, data).then(appendedBody));
  }

  /** In its turn, and when the client has taken what was read before. */
  read(effect: ReadEffect): void {
    if (!this.#holds(effect.stream)) return;
    const { outbox, ended, readings } = this.#port;
    void readings.run(async () => {
      await outbox.below(this.#parts.limits.outboxBytesMax / 4);
      if (ended.aborted) return;
      const page = this.#page(effect);
      this.#port.answer(effect.stream, page);
      await page.catch(() => undefined);
    });
  }

  async #page({ after, limit }: ReadEffect): Promise<ResponseBody> {
    const { user } = this.#port.principal;
    const part = await this.#parts.archives.read(user, after, limit);
    const entries = part.records.map(({ sequence, data }) => ({
      sequence: BigInt(sequence),
      data,
    }));
    const value = { incarnation: fromHex(part.incarnation), entries, head: BigInt(part.head) };
    return { case: "archivePage", value };
  }

  /** False, and answered, where revocations cannot be confirmed now. */
  #holds(stream: number): boolean {
    if (this.#parts.confirmation.holds) return true;
    const body = refusal(ErrorCode.UNAVAILABLE, "not confirmed now");
    this.#port.feed({ kind: "answered", stream, body });
    return false;
  }
}
