import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fileVariable, variables } from "./settings.ts";

const text = readFileSync(join(import.meta.dirname, "..", "..", "..", ".env.example"), "utf8");

test(".env.example shows every setting, and none that is not one", () => {
  const shown = [...text.matchAll(/^#(SOTTO_[A-Z_]+)=/gm)].map(([, name]) => name);
  const composed = ["SOTTO_FRONT_SUBNET", "SOTTO_PROMETHEUS_PORT"];
  expect(shown.toSorted()).toEqual(
    [...Object.values(variables), fileVariable, ...composed].toSorted(),
  );
});

test("without a change it changes nothing", () => {
  expect(text.split("\n").filter((line) => line !== "" && !line.startsWith("#"))).toEqual([]);
});
