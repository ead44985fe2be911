import { existsSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { ErrorCode, limits } from "@sotto/protocol";
import { expect, test } from "vitest";
import {
  codeOf,
  importsOf,
  isTest,
  projectFiles,
  root,
  sourceFiles,
  textOf,
} from "./tidy/source-files.ts";

const sources = sourceFiles();
const production = sources.filter((path) => !isTest(path));

/** Files that break a rule, as `path: what`. */
function breaches(files: readonly string[], rule: (path: string) => readonly string[]): string[] {
  return files.flatMap((path) => rule(path).map((what) => `${path}: ${what}`));
}

function forbidImports(files: readonly string[], forbidden: RegExp): string[] {
  return breaches(files, (path) =>
    importsOf(path)
      .map(({ specifier, file }) => file ?? specifier)
      .filter((target) => forbidden.test(target)),
  );
}

test("there is something to check", () => {
  expect(production.length).toBeGreaterThan(100);
});

test("no service imports the encryption, or what only clients read", () => {
  const services = sources.filter((path) => path.startsWith("services/"));
  expect(
    forbidImports(
      services,
      /^(@sotto\/(mls|sealed-media|sdk|cli|protocol\/content)|ts-mls|@hpke\/)/,
    ),
  ).toEqual([]);
});

test("no service imports another", () => {
  for (const name of readdirSync(join(root, "services"))) {
    const own = sources.filter((path) => path.startsWith(`services/${name}/`));
    const others = readdirSync(join(root, "services")).filter((other) => other !== name);
    expect(
      forbidImports(
        own,
        new RegExp(`^(@sotto/(${others.join("|")})|services/(${others.join("|")}))(/|$)`),
      ),
    ).toEqual([]);
  }
});

test("the second implementation of WebCrypto is in no program", () => {
  const programs = production.filter((path) => !path.startsWith("bench/"));
  expect(forbidImports(programs, /^@sotto\/mls\/peculiar$/)).toEqual([]);
  const others = production.filter((path) => path !== "libs/mls/src/peculiar.ts");
  expect(forbidImports(others, /^@peculiar\/webcrypto/)).toEqual([]);
});

test("clients import no port of the server", () => {
  const clients = production.filter((path) => path.startsWith("clients/"));
  expect(
    forbidImports(
      clients,
      /^@sotto\/(log|bus|directory|blobs|media-link|interservice|chassis)(\/|$)/,
    ),
  ).toEqual([]);
});

test("adapters appear only where programs are composed, and in tests", () => {
  const adapters =
    /^@sotto\/(log\/(segment|jetstream)|bus\/(in-process|nats)|directory\/(sqlite|redis)|blobs\/file-system|media-link\/(in-process|http))$/;
  const others = production.filter(
    (path) => !/\/compose(\.ts|\/)/.test(path) && !path.startsWith("bench/"),
  );
  expect(forbidImports(others, adapters)).toEqual([]);
});

test("the SDK's core, and what it stands on, imports nothing of Node", () => {
  const core = production.filter(
    (path) =>
      (/^libs\/(protocol|identity|mls|sealed-media)\/src\//.test(path) ||
        (path.startsWith("clients/sdk/src/") && !path.startsWith("clients/sdk/src/node"))) &&
      !/\/node(\.ts|\/)/.test(path) &&
      !/\/bench\//.test(path),
  );
  expect(forbidImports(core, /^(node:|ws$|ioredis|@nats-io)/)).toEqual([]);
});

test("only a conformance suite or a test imports a test's tools", () => {
  expect(forbidImports(production, /^(vitest|fast-check|@sotto\/testkit)/)).toEqual([]);
});

test("environment, console, wall clock and chance come in as parameters", () => {
  const rules: readonly [RegExp, string, RegExp][] = [
    [/\bprocess\.env\b/, "process.env", /(^|\/)config\.ts$|^scripts\//],
    [/\bconsole\.(log|error|warn|info|debug)\(/, "console", /^bench\/|^$/],
    [/\bDate\.now\(/, "Date.now", /^libs\/clock\/|^bench\/|^infra\/demo\//],
  ];
  const found = rules.flatMap(([pattern, what, allowed]) =>
    breaches(
      production.filter((path) => !allowed.test(path)),
      (path) => (pattern.test(codeOf(path)) ? [what] : []),
    ),
  );
  expect(found).toEqual([]);
});

test("nothing is left open, and no type is switched off", () => {
  const pattern =
    /\b(TODO|FIXME|XXX|HACK)\b|: any(?=[;,)\]>|=[{]| [=|])|\bas any\b|@ts-(ignore|nocheck|expect-error)/;
  const checked = sources.filter((path) => path !== "tests/tidy.test.ts");
  expect(
    breaches(checked, (path) =>
      [...codeOf(path).matchAll(new RegExp(pattern, "g"))].map(([what]) => what),
    ),
  ).toEqual([]);
});

test("no test is skipped by hand or hides others", () => {
  const tests = sources.filter(
    (path) => path.endsWith(".test.ts") && path !== "tests/tidy.test.ts",
  );
  const pattern = /\b(?:it|test|describe)\.(?:only|todo|skip)\(/g;
  expect(
    breaches(tests, (path) => [...textOf(path).matchAll(pattern)].map(([what]) => what)),
  ).toEqual([]);
});

test("no file is larger than one sitting, and no name says nothing", () => {
  expect(production.filter((path) => textOf(path).split("\n").length > 400)).toEqual([]);
  expect(
    sources.filter((path) => /\/(utils?|helpers?|types?|common|misc)\.ts$/.test(path)),
  ).toEqual([]);
});

test("every source file is used by another one, or is where a program begins", () => {
  const used = new Set(
    sources.flatMap((path) =>
      importsOf(path).flatMap(({ file }) => (file === undefined ? [] : [normalize(file)])),
    ),
  );
  const begins = new Set<string>();
  for (const path of projectFiles().filter((file) => file.endsWith("package.json"))) {
    const { exports = {} } = JSON.parse(textOf(path)) as { exports?: Record<string, string> };
    for (const target of Object.values(exports)) begins.add(normalize(join(dirname(path), target)));
  }
  const named = new Set(
    projectFiles()
      .filter((path) => /\.(ts|js|mjs|json)$/.test(path) && !path.endsWith("package-lock.json"))
      .flatMap((path) =>
        [...textOf(path).matchAll(/["'`/]([\w-]+\.ts)["'`]/g)].map(([, name]) => name),
      ),
  );
  const dead = production.filter((path) => {
    const name = path.split("/").at(-1) ?? "";
    return (
      !used.has(path) &&
      !begins.has(path) &&
      !named.has(name) &&
      !/(^|\/)(main|index|.*\.config)\.ts$/.test(path) &&
      !path.includes("/bench/")
    );
  });
  expect(dead).toEqual([]);
});

test("no program switches a check of the client off", () => {
  const sdk = /^clients\/sdk\/src\//;
  const programs = production.filter(
    (path) =>
      !sdk.test(path) && importsOf(path).some(({ specifier }) => /^@sotto\/sdk/.test(specifier)),
  );
  expect(programs.length).toBeGreaterThan(5);
  expect(breaches(programs, (path) => codeOf(path).match(/\b(checks|allChecks)\b/g) ?? [])).toEqual(
    [],
  );
  // Within the SDK the switches come from the options alone.
  expect(
    breaches(
      production.filter((path) => sdk.test(path)),
      (path) => codeOf(path).match(/\bchecks\s*:\s*\{|\.\.\.allChecks/g) ?? [],
    ),
  ).toEqual(["clients/sdk/src/open-client.ts: ...allChecks"]);
});

test("every check of the client is read where it is made", () => {
  const names = [...textOf("clients/sdk/src/checks.ts").matchAll(/readonly (\w+): boolean/g)];
  expect(names.length).toBeGreaterThan(15);
  const made = production
    .filter((path) => path.startsWith("clients/sdk/src/") && !path.endsWith("/checks.ts"))
    .map(codeOf)
    .filter((text) => text.includes("checks"))
    .join("\n");
  expect(names.filter(([, name]) => !new RegExp(`\\b${name}\\b`).test(made))).toEqual([]);
});

test("every adapter passes its port's law", () => {
  const laws: Readonly<Record<string, readonly string[]>> = {
    "libs/log": ["segment", "jetstream"],
    "libs/bus": ["in-process", "nats"],
    "libs/directory": ["sqlite", "redis"],
    "libs/blobs": ["file-system"],
    "libs/media-link": ["in-process", "http"],
    "libs/mls": ["nodeEngine", "webEngine", "peculiarEngine"],
    "clients/sdk": ["memory-store", "sqlite-store"],
  };
  for (const [port, adapters] of Object.entries(laws)) {
    const tests = sources.filter(
      (path) => path.startsWith(`${port}/`) && path.endsWith(".test.ts"),
    );
    const lawful = tests.map(textOf).filter((text) => /conformance/.test(text));
    for (const adapter of adapters) {
      expect(
        lawful.some((text) => text.includes(adapter)),
        `${port}: ${adapter}`,
      ).toBe(true);
    }
  }
});

test("every error code stands in PROTOCOL.md with its number", () => {
  const text = textOf("PROTOCOL.md");
  for (const [name, code] of Object.entries(ErrorCode)) {
    if (typeof code !== "number" || code === 0) continue;
    expect(text, name).toMatch(new RegExp(`\\b${code}\\b[^\\n]*${name}`));
  }
});

test("every limit stands in PROTOCOL.md", () => {
  const text = textOf("PROTOCOL.md");
  expect(Object.keys(limits).filter((name) => !text.includes(name))).toEqual([]);
});

test("links between Markdown files lead somewhere", () => {
  const pages = projectFiles().filter((path) => path.endsWith(".md"));
  const broken = breaches(pages, (path) =>
    [...textOf(path).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => !existsSync(join(root, dirname(path), target))),
  );
  expect(broken).toEqual([]);
});

test("every dependency has its line in docs/dependencies.md", () => {
  const text = textOf("docs/dependencies.md");
  const names = projectFiles()
    .filter((path) => path.endsWith("package.json"))
    .flatMap((path) => {
      const { dependencies = {}, devDependencies = {} } = JSON.parse(textOf(path)) as Record<
        string,
        Record<string, string>
      >;
      return [...Object.entries(dependencies), ...Object.entries(devDependencies)];
    });
  const missing = names
    .map(([name]) => name)
    .filter(
      (name) =>
        !name.startsWith("@sotto/") &&
        !text.includes(name.replace(/^@(noble|types|nats-io)\/.*/, "@$1/")) &&
        !text.includes(name),
    );
  expect([...new Set(missing)]).toEqual([]);
  expect(
    names.filter(([name, version]) => !name.startsWith("@sotto/") && !/^\d/.test(version)),
  ).toEqual([]);
});

test("the lock file carries no download addresses", () => {
  expect(textOf("package-lock.json")).not.toMatch(/"resolved": "http/);
});
