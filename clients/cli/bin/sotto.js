#!/usr/bin/env node
// Runs the command on Node 24, whatever Node started it: the `node` package brings one along.
import { spawn } from "node:child_process";
import module, { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const major = Number(process.versions.node.split(".")[0]);

if (major >= 24) {
  module.enableCompileCache?.();
  await import(main);
} else {
  const packageFile = createRequire(import.meta.url).resolve("node/package.json");
  const node = join(dirname(packageFile), "bin", "node");
  const child = spawn(
    node,
    ["--disable-warning=ExperimentalWarning", process.argv[1], ...process.argv.slice(2)],
    {
      stdio: "inherit",
    },
  );
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
}
