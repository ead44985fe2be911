import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/**
 * Holds the profile for one agent. SQLite's own file lock is used because the system frees it however
 * the process ends. Answers `undefined` where another agent holds it.
 */
export function lockProfile(home: string): Disposable | undefined {
  const path = join(home, "agent.lock");
  closeSync(openSync(path, "a", 0o600));
  const db = new DatabaseSync(path);
  try {
    db.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE;");
  } catch {
    db.close();
    return undefined;
  }
  return { [Symbol.dispose]: () => db.close() };
}
