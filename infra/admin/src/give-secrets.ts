import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { StartError } from "@sotto/chassis";
import { natsAccounts, natsPermissions } from "./nats-users.ts";
import { redisUsers } from "./redis-users.ts";

/** What was made now, and what was there. */
export interface SecretsReport {
  readonly made: readonly string[];
  readonly kept: readonly string[];
}

const secretBytes = 32;
const natsSecret = (user: string) => `nats-${user}`;
const redisSecret = "redis-keyserver";
const redisNobody = "redis-default";
const mediaSecret = "media-token";

/**
 * Makes every secret that is missing, once, in `<folder>/secrets`, and gives each part its own in a folder of its
 * own name. Done again it changes nothing but what was lost or is out of date. Rejects with `StartError`.
 */
export async function giveSecrets(folder: string): Promise<SecretsReport> {
  const made: string[] = [];
  const kept: string[] = [];
  const secret = async (name: string) => {
    const { text, fresh } = await keptSecret(join(folder, "secrets"), name);
    (fresh ? made : kept).push(name);
    return text;
  };
  try {
    const nats = new Map<string, string>();
    for (const user of Object.keys(natsPermissions)) nats.set(user, await secret(natsSecret(user)));
    const redis = await secret(redisSecret);
    const nobody = await secret(redisNobody);
    const media = await secret(mediaSecret);
    for (const [user, password] of nats) await give(folder, user, "nats-password", password);
    await give(folder, "keyserver", "redis-password", redis);
    await give(folder, "media", "media-token", media);
    await give(folder, "tcp-edge", "media-token", media);
    await give(
      folder,
      "nats",
      "accounts.conf",
      natsAccounts((user) => nats.get(user) ?? ""),
    );
    await give(folder, "redis", "users.acl", redisUsers({ keyserver: redis, nobody }));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new StartError(`cannot write secrets to ${folder} (${code ?? String(cause)})`, { cause });
  }
  return { made, kept };
}

async function keptSecret(
  folder: string,
  name: string,
): Promise<{ readonly text: string; readonly fresh: boolean }> {
  await makeFolder(folder);
  const known = await readdir(folder);
  if (known.includes(name)) {
    const text = (await readFile(join(folder, name), "utf8")).trim();
    if (text.length >= 16) return { text, fresh: false };
  }
  const text = randomBytes(secretBytes).toString("hex");
  await write(folder, name, `${text}\n`);
  return { text, fresh: true };
}

async function give(folder: string, part: string, name: string, content: string): Promise<void> {
  const own = join(folder, part);
  await makeFolder(own);
  const text = content.endsWith("\n") ? content : `${content}\n`;
  const present = await readFile(join(own, name), "utf8").catch(() => undefined);
  if (present !== text) await write(own, name, text);
}

/** In a folder that is there. Not `recursive`: that does not end where a file system refuses. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** Whole or not at all, for its owner alone. */
async function write(folder: string, name: string, text: string): Promise<void> {
  const temporary = join(folder, `.${name}.new`);
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(folder, name));
  const directory = await open(folder, "r");
  await directory.sync().finally(() => directory.close());
}
