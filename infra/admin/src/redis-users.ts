import { createHash } from "node:crypto";

/** The ACL file of a Redis server: the keyserver alone, on its own keys; anybody may ask whether it lives. */
export function redisUsers(keyserverPassword: string): string {
  const hash = createHash("sha256").update(keyserverPassword).digest("hex");
  return [
    "user default on nopass resetkeys resetchannels -@all +ping",
    `user keyserver on #${hash} resetkeys ~sotto:* resetchannels -@all +@read +@write +@connection +eval +waitaof +info -@dangerous +info`,
    "",
  ].join("\n");
}
