import { type Disablement, openDisablement } from "@sotto/identity";
import { toHex, type UserId } from "@sotto/protocol";
import type { Connection } from "../connection/connection.ts";

/** One account that is off, and the server's signed word for it. */
export interface DisabledPerson extends Disablement {
  readonly signed: Uint8Array;
}

/**
 * Accounts that the server's operator switched off, by the word of the server identity that this profile pins. Rooms
 * take them out, and let none of their devices in.
 */
export class DisabledPeople {
  readonly #pinned: string;
  #people: ReadonlyMap<UserId, DisabledPerson> = new Map();

  constructor(serverKeySha256: Uint8Array) {
    this.#pinned = toHex(serverKeySha256);
  }

  has(user: UserId): boolean {
    return this.#people.has(user);
  }

  get(user: UserId): DisabledPerson | undefined {
    return this.#people.get(user);
  }

  /** Asks the server anew. Rejects as the request does. */
  async refresh(connection: Connection): Promise<void> {
    const { disabled } = await connection.request(
      { case: "listDisabled", value: {} },
      "disabledList",
    );
    const people = new Map<UserId, DisabledPerson>();
    for (const signed of disabled) {
      const disablement = await openDisablement(signed, this.#pinned);
      if (disablement) people.set(disablement.user, { ...disablement, signed });
    }
    this.#people = people;
  }
}
