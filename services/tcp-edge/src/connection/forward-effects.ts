import { ErrorCode } from "@sotto/protocol";
import type { Arrival } from "../listener/arrival.ts";
import type { Effect } from "../session/effect.ts";
import { type ResponseBody, refusal } from "../session/response-body.ts";
import type { Principal } from "../session/session.ts";
import type { EdgeParts } from "./parts.ts";
import type { ConnectionPort } from "./port.ts";

type ForwardEffect = Extract<Effect, { kind: "forward" }>;

/** Hands requests on to the services that answer them. */
export class ForwardEffects {
  readonly #port: ConnectionPort;
  readonly #parts: EdgeParts;
  /** Undefined for a stranger, who may register, link, and hand back records. */
  readonly #caller: () => Principal | undefined;
  readonly #arrival: Arrival;

  constructor(
    port: ConnectionPort,
    parts: EdgeParts,
    caller: () => Principal | undefined,
    arrival: Arrival,
  ) {
    this.#port = port;
    this.#parts = parts;
    this.#caller = caller;
    this.#arrival = arrival;
  }

  send(effect: ForwardEffect): void {
    const retryAfterMs = effect.stranger ? this.#arrival.takeRequest() : 0;
    if (retryAfterMs > 0) {
      const message = "too many requests from this address";
      const body = refusal(ErrorCode.RATE_LIMITED, message, { retryAfterMs });
      this.#port.feed({ kind: "answered", stream: effect.stream, body });
      return;
    }
    // Encoded now: the request's bytes are views of what the client sent.
    const call = this.#parts.calls.encodeCommand(this.#caller(), effect.request);
    this.#port.answer(effect.stream, this.#send(effect, call));
  }

  async #send({ service, room, access }: ForwardEffect, call: Uint8Array): Promise<ResponseBody> {
    const { calls, rosters, confirmation } = this.#parts;
    if (room !== undefined) {
      if (!confirmation.holds) return refusal(ErrorCode.UNAVAILABLE, "not confirmed now");
      const { user, device } = this.#port.principal;
      const member =
        access === "user" ? rosters.memberUser(room, user) : rosters.member(room, device);
      if (!(await member)) {
        return refusal(ErrorCode.NOT_A_MEMBER, "this device is not in the room");
      }
    }
    const { body } = await calls.command(service, call);
    return body.case === undefined ? refusal(ErrorCode.INTERNAL, "no answer") : body;
  }
}
