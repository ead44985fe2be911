import { existsSync, readdirSync } from "node:fs";
import { join, normalize } from "node:path";
import { expect, test } from "vitest";
import { root, textOf } from "./tidy/source-files.ts";

const page = "docs/security.md";
const lines = textOf(page).split("\n");

/** Rows of the tables whose last column says what shows them, with what that column links to. */
function rows(): { readonly row: string; readonly targets: readonly string[] }[] {
  const found: { row: string; targets: string[] }[] = [];
  for (const [index, line] of lines.entries()) {
    if (!/\|\s*shown by\s*\|$/.test(line)) continue;
    for (const row of lines.slice(index + 2)) {
      if (!row.startsWith("|")) break;
      const last = row.split("|").at(-2) ?? "";
      const targets = [...last.matchAll(/\]\(([^)#\s]+)/g)].map(([, target = ""]) =>
        normalize(join("docs", target)),
      );
      found.push({ row, targets });
    }
  }
  return found;
}

test("each kind of attacker has its part", () => {
  const wanted = [
    "A curious operator",
    "A malicious server",
    "An attacker in the network",
    "A stolen device",
    "A removed member",
    "A malicious member",
    "A quantum computer, some day",
    "A stolen recovery phrase",
    "A malicious update",
    "What cannot be had",
  ];
  const titles = lines.filter((line) => /^##? /.test(line)).map((line) => line.replace(/^#+ /, ""));
  expect(titles.slice(1)).toEqual(wanted);
});

test("each row names a test that is there", () => {
  expect(rows().length).toBeGreaterThan(30);
  const wrong = rows().filter(
    ({ targets }) =>
      targets.length === 0 ||
      !targets.every((path) => /\.test\.ts$/.test(path) && existsSync(join(root, path))),
  );
  expect(wrong.map(({ row }) => row)).toEqual([]);
});

test("each attack that is tried is told of", () => {
  const named = new Set(rows().flatMap(({ targets }) => targets));
  const tried = readdirSync(join(root, "tests/trust")).filter((name) => name.endsWith(".test.ts"));
  expect(tried.length).toBeGreaterThan(3);
  expect(tried.filter((name) => !named.has(`tests/trust/${name}`))).toEqual([]);
});
