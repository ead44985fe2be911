#!/usr/bin/env node
// Runs the command on Node 24, whatever Node started it: the `node` package brings one along. In an
// image the sources are compiled, and Node is the right one.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const built = fileURLToPath(new URL("../src/main.js", import.meta.url));
const source = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const major = Number(process.versions.node.split(".")[0]);

if (major >= 24) await import(existsSync(built) ? built : source);
else {
  const packageFile = createRequire(import.meta.url).resolve("node/package.json");
  const node = join(dirname(packageFile), "bin", "node");
  const child = spawn(
    node,
    ["--disable-warning=ExperimentalWarning", process.argv[1], ...process.argv.slice(2)],
    { stdio: "inherit" },
  );
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
}
