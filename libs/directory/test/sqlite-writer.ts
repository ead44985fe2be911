import { openSqliteDirectory } from "../src/sqlite.ts";

/** Appends records and claims packages, and prints what was promised, until it is killed or has done enough. */
const [, , folder = "", enough = "1000000"] = process.argv;
await using store = await openSqliteDirectory({ folder });
const begin = await store.size();
await store.addKeyPackages(
  "d1",
  Array.from({ length: 200 }, (_, i) => Buffer.from(`p${begin}-${i}`)),
);
for (let i = begin; i < begin + Number(enough); i++) {
  const user = i.toString(16).padStart(8, "0");
  const outcome = await store.append({
    bytes: Buffer.from(`record ${i}`),
    user,
    chainSequence: 0,
    now: 0,
  });
  if (!outcome.ok) throw new Error(outcome.why);
  process.stdout.write(`record ${i}\n`);
  const claimed = await store.claimKeyPackage("d1");
  if (claimed) process.stdout.write(`claimed ${Buffer.from(claimed.bytes).toString()}\n`);
}
