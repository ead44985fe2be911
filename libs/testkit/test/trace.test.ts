import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { describeWithTrace, recordProcess, simulatePowerLoss } from "../src/index.ts";

const seeds = Array.from({ length: 60 }, (_, seed) => seed);

/** A writer that inserts rows and prints the number of each once it is committed. */
const insertRows = `
  const { DatabaseSync } = require("node:sqlite");
  const database = new DatabaseSync(process.argv[1] + "/db");
  database.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (n INTEGER)");
  const insert = database.prepare("INSERT INTO t VALUES (?)");
  for (let n = 0; n < 30; n++) {
    insert.run(n);
    process.stdout.write(n + "\\n");
  }
`;

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "sotto-traced-"));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function rowsIn(folder: string): ReadonlySet<string> {
  const database = new DatabaseSync(join(folder, "db"));
  try {
    return new Set(
      database
        .prepare("SELECT n FROM t")
        .all()
        .map((row) => String(row.n)),
    );
  } catch {
    return new Set();
  } finally {
    database.close();
  }
}

await describeWithTrace("a traced process", () => {
  test("leaves a recording that ends as the folder does", { timeout: 30_000 }, async () => {
    await withFolder(async (folder) => {
      const script = `
      const fs = require("node:fs"), dir = process.argv[1];
      fs.mkdirSync(dir + "/sub");
      const a = fs.openSync(dir + "/a", "w");
      fs.writeSync(a, "hello "); fs.writeSync(a, "world"); fs.writeSync(a, "J", 0);
      fs.ftruncateSync(a, 8); fs.fsyncSync(a);
      fs.renameSync(dir + "/a", dir + "/sub/b");
      fs.appendFileSync(dir + "/sub/b", "!");
      fs.writeFileSync(dir + "/gone", "x"); fs.unlinkSync(dir + "/gone");
      fs.fsyncSync(a);
      for (const d of [dir, dir + "/sub"]) fs.fsyncSync(fs.openSync(d));
      process.stdout.write("done\\n");
    `;
      const recording = await recordProcess(folder, [process.execPath, "-e", script, folder]);
      const at = recording.operations.length;
      const disk = simulatePowerLoss(recording, { seed: 1, at });
      expect(disk.promised).toEqual(["done"]);
      expect([...disk.files.keys()]).toEqual(["sub/b"]);
      expect(await readdir(folder)).toEqual(["sub"]);
      expect(disk.files.get("sub/b")).toEqual(
        new Uint8Array(await readFile(join(folder, "sub/b"))),
      );
    });
  });

  test("makes SQLite keep committed rows, and lose some with syncs that lie", {
    timeout: 60_000,
  }, async () => {
    await withFolder(async (folder) => {
      const recording = await recordProcess(folder, [process.execPath, "-e", insertRows, folder]);
      const missing = async (seed: number, dropSyncs: boolean) => {
        const disk = simulatePowerLoss(recording, { seed, dropSyncs });
        await disk.writeTo(folder);
        const rows = rowsIn(folder);
        return disk.promised.filter((row) => !rows.has(row));
      };
      const lost: string[] = [];
      let lostByLies = 0;
      for (const seed of seeds) {
        lost.push(...(await missing(seed, false)));
        lostByLies += (await missing(seed, true)).length;
      }
      expect(lost).toEqual([]);
      expect(lostByLies).toBeGreaterThan(0);
    });
  });
});
