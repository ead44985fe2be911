import { ProfileKey, SqliteStore, setPassphrase } from "../src/node.ts";

/**
 * Commits messages with state and cursor, and prints what was promised, until it is killed or has done enough.
 * Half way it sets a passphrase.
 */
const [, , folder = "", passphrase = "", enough = "1000000"] = process.argv;
const secret = Buffer.from(passphrase);
let store = new SqliteStore(
  folder,
  ProfileKey.lockOf(folder) === "passphrase"
    ? await ProfileKey.unlock(folder, secret)
    : ProfileKey.open(folder),
);
const last = (await store.scan("history", { limit: 1, reverse: true }))[0];
const begin = last ? Number(last.key) + 1 : 1;
for (let count = begin; count < begin + Number(enough); count++) {
  const value = Buffer.from(String(count));
  await store.commit([
    { table: "groups", key: "room", value: Buffer.alloc(9_000, `${count} `) },
    { table: "history", key: String(count).padStart(16, "0"), value },
    { table: "history-index", key: `room/${count}`, value },
    { table: "meta", key: "cursor", value },
  ]);
  process.stdout.write(`commit ${count}\n`);
  if (count - begin !== 12 || ProfileKey.lockOf(folder) === "passphrase") continue;
  const key = await setPassphrase(folder, store, secret);
  process.stdout.write("passphrase\n");
  await store[Symbol.asyncDispose]();
  store = new SqliteStore(folder, key);
}
await store[Symbol.asyncDispose]();
