// Compiles the services and what they stand on into dist/, laid out as here, for the images: the
// same folders and package files, with JavaScript where there was TypeScript.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, "dist");

function compile() {
  const require = createRequire(import.meta.url);
  const compiler = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
  const { status } = spawnSync(process.execPath, [compiler, "-p", "tsconfig.build.json"], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}

/** Entry points are the compiled files. */
function asBuilt(manifest) {
  const built = (target) => target.replace(/\.ts$/, ".js");
  const exports = Object.entries(manifest.exports ?? {});
  return {
    ...manifest,
    ...(exports.length > 0
      ? { exports: Object.fromEntries(exports.map(([name, target]) => [name, built(target)])) }
      : {}),
  };
}

rmSync(dist, { recursive: true, force: true });
compile();
for (const folder of ["libs", "services", "infra"]) {
  for (const name of readdirSync(join(dist, folder))) {
    const from = join(root, folder, name);
    const to = join(dist, folder, name);
    const manifest = JSON.parse(readFileSync(join(from, "package.json"), "utf8"));
    mkdirSync(to, { recursive: true });
    writeFileSync(join(to, "package.json"), `${JSON.stringify(asBuilt(manifest), null, 2)}\n`);
    if (existsSync(join(from, "bin")))
      cpSync(join(from, "bin"), join(to, "bin"), { recursive: true });
  }
}
