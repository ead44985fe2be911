import { createHash } from "node:crypto";

/**
 * The ACL file of a Redis server. The keyserver works on its own keys alone. Nobody comes as the default user, whose
 * password is given to nobody: but Redis replays its append-only file as that user, and would drop at a restart
 * whatever that user may not write.
 */
export function redisUsers(passwords: {
  readonly keyserver: string;
  readonly nobody: string;
}): string {
  return [
    `user default on #${sha256(passwords.nobody)} ~* &* +@all`,
    `user keyserver on #${sha256(passwords.keyserver)} resetkeys ~sotto:* resetchannels -@all +@read +@write +@connection +eval +waitaof -@dangerous +info`,
    "",
  ].join("\n");
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
