import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  fromHex,
  HistoryPolicy,
  parseUserId,
  RoomPolicySchema,
  type UserId,
} from "@sotto/protocol";

/**
 * Who may have what was said before they came, as people write it:
 *
 * - `none`: nobody; only devices that were there have it;
 * - `since-join`: a member's own further devices, from when the member came;
 * - `all`: newcomers too, from the beginning; of a very long history its newest part (`toldMessagesMax`,
 *   `toldBytesMax`).
 */
export type HistoryWord = "none" | "since-join" | "all";

/** A room's policy. */
export interface Policy {
  readonly admins: readonly UserId[];
  readonly history: HistoryWord;
}

const policies: Readonly<Record<HistoryWord, HistoryPolicy>> = {
  none: HistoryPolicy.NONE,
  "since-join": HistoryPolicy.SINCE_JOIN,
  all: HistoryPolicy.ALL,
};

/** An encoded RoomPolicy. */
export function encodePolicy({ admins, history }: Policy): Uint8Array<ArrayBuffer> {
  const init = { admins: admins.map((user) => fromHex(user)), history: policies[history] };
  return toBinary(RoomPolicySchema, create(RoomPolicySchema, init));
}

/** The policy in encoded bytes; what a word is not known for passes on nothing. Throws where they are malformed. */
export function parsePolicy(bytes: Uint8Array): Policy {
  const { admins, history } = fromBinary(RoomPolicySchema, bytes);
  return {
    admins: admins.map((user) => parseUserId(user)),
    history:
      history === HistoryPolicy.ALL
        ? "all"
        : history === HistoryPolicy.SINCE_JOIN
          ? "since-join"
          : "none",
  };
}
