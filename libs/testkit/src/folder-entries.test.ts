import { expect, test } from "vitest";
import { FolderEntries } from "./folder-entries.ts";
import type { NodeId } from "./recording.ts";
import { seededRandom } from "./seeded-random.ts";

test("a settled name is not undone by an older removal of the same name", () => {
  for (let seed = 0; seed < 50; seed++) {
    const folder = new FolderEntries();
    const [first, second] = [1 as NodeId, 2 as NodeId];
    folder.change({ index: 0, name: "a", node: first });
    folder.change({ index: 1, removed: "a" });
    folder.change({ index: 2, name: "a", node: second });
    folder.syncNode(second, 3);
    expect(folder.lose(seededRandom(seed)).get("a")).toBe(second);
  }
});
