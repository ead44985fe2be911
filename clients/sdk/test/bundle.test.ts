import { join } from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";

test("the core bundles for browsers, with nothing of Node in it", async () => {
  const result = await build({
    entryPoints: [join(import.meta.dirname, "..", "src", "index.ts")],
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2024",
    metafile: true,
    logLevel: "silent",
    // Suites and curves that are not ours are loaded by the MLS library only where they are asked for.
    external: ["@hpke/chacha20poly1305", "@hpke/dhkem-x448", "@hpke/ml-kem"],
  });
  const imports = Object.values(result.metafile.inputs).flatMap((input) =>
    input.imports.map(({ path }) => path),
  );
  expect(imports.filter((path) => path.startsWith("node:"))).toEqual([]);
  const inputs = Object.keys(result.metafile.inputs);
  expect(inputs.filter((path) => path.includes("@peculiar/webcrypto"))).toEqual([]);
  expect(result.outputFiles[0]?.contents.length).toBeGreaterThan(100_000);
});
