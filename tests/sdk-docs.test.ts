import { join } from "node:path";
import { expect, test } from "vitest";
import { textOf } from "./tidy/source-files.ts";

const source = "clients/sdk/src";
const exported = /export (?:type )?\{([^}]*)\} from "(\.[^"]*)"/g;
const declaration = (name: string) =>
  new RegExp(`^export (?:async )?(?:class|interface|type|function|const) ${name}\\b`);
const method = /^ {2}(?!private |constructor)(?:static |async |get |\*)*\*?([a-z]\w*)[(<]/;

/** What the SDK's faces give away with no comment before it: names, and methods of classes. */
function undocumented(face: string): string[] {
  const found: string[] = [];
  for (const [, names = "", from = ""] of textOf(join(source, face)).matchAll(exported)) {
    const lines = textOf(join(source, from)).split("\n");
    const isBare = (at: number) => !lines[at - 1]?.trimEnd().endsWith("*/");
    for (const name of names.split(",").map((part) => part.trim().replace(/^type /, ""))) {
      if (name === "") continue;
      const at = lines.findIndex((line) => declaration(name).test(line));
      if (at < 0 || isBare(at)) found.push(`${from}: ${name}`);
      // A store's methods are those of its port.
      if (at < 0 || !/ class (?!.* implements ProfileStore)/.test(lines[at] ?? "")) continue;
      const end = lines.indexOf("}", at);
      for (let i = at + 1; i < end; i++) {
        const [, called] = method.exec(lines[i] ?? "") ?? [];
        if (called && isBare(i)) found.push(`${from}: ${name}.${called}`);
      }
    }
  }
  return found;
}

test("whatever the SDK exports says what it is for", () => {
  expect(textOf(join(source, "index.ts"))).toMatch(exported);
  expect(["index.ts", "node.ts"].flatMap(undocumented)).toEqual([]);
});
