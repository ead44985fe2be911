import { verifyEd25519 } from "@sotto/identity";
import type { DeviceId } from "@sotto/protocol";
import type { Effect, LoginFailure } from "../session/effect.ts";
import type { DeviceFacts } from "../session/input.ts";
import type { Connection } from "./connection.ts";
import type { EdgeParts } from "./parts.ts";
import type { ConnectionPort } from "./port.ts";

type Admission = Extract<Effect, { kind: "admit" }>;

/** Performs what a login wants done. */
export class LoginEffects {
  readonly #connection: Connection;
  readonly #port: ConnectionPort;
  readonly #parts: EdgeParts;

  constructor(connection: Connection, port: ConnectionPort, parts: EdgeParts) {
    this.#connection = connection;
    this.#port = port;
    this.#parts = parts;
  }

  failed(reason: LoginFailure): void {
    this.#parts.events.loginFailed(reason);
  }

  lookUpDevice(device: DeviceId): void {
    this.#parts.calls.device(device).then(
      (facts) => this.#port.feed({ kind: "deviceFound", facts }),
      () => this.#port.feed({ kind: "loginUnavailable" }),
    );
  }

  verify(facts: DeviceFacts, message: Uint8Array, signature: Uint8Array): void {
    verifyEd25519(facts.authKey, message, signature).then(
      (valid) => this.#port.feed({ kind: "verified", facts, valid }),
      () => this.#port.feed({ kind: "verified", facts, valid: false }),
    );
  }

  /** The user's rooms are learned before the login is answered: what changes after them is told by events. */
  admit({ facts, user, device }: Admission): void {
    const { devices, clock, rosters } = this.#parts;
    if (!devices.add(this.#connection, user, device, clock.monotonic())) {
      this.#port.feed({ kind: "admitted", facts, tooMany: true });
      return;
    }
    this.#port.ended.addEventListener("abort", () => {
      if (devices.delete(this.#connection, user, device)) rosters.leave(user);
    });
    rosters.enter(user).then(
      () => this.#port.feed({ kind: "admitted", facts, tooMany: false }),
      () => this.#port.feed({ kind: "loginUnavailable" }),
    );
  }
}
