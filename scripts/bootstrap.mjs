// Makes a fresh clone ready: installs what package-lock.json names, once, and again when it changed.
// Plain JavaScript for whatever Node (20 or newer) is there; everything else runs on the Node that it installs.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const marker = join(root, "node_modules", ".sotto-installed");

function fingerprint() {
  const hash = createHash("sha256");
  hash.update(readFileSync(join(root, "package-lock.json")));
  const patches = join(root, "patches");
  for (const name of existsSync(patches) ? readdirSync(patches).sort() : []) {
    hash.update(name).update(readFileSync(join(patches, name)));
  }
  return hash.digest("hex");
}

function installed() {
  return existsSync(marker) && readFileSync(marker, "utf8") === fingerprint();
}

/** Runs `npm ci`; its talk goes to a file that is shown only where it fails. */
async function install() {
  const started = Date.now();
  const terminal = process.stderr.isTTY;
  const seconds = () => Math.round((Date.now() - started) / 1000);
  process.stderr.write("Installing what Sotto needs (once)…");
  const npm = process.env.npm_execpath ?? "npm";
  const [command, first] = npm.endsWith(".js") ? [process.execPath, [npm]] : [npm, []];
  const child = spawn(command, [...first, "ci", "--no-audit", "--no-fund", "--loglevel=warn"], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = [];
  child.stdout.on("data", (chunk) => output.push(chunk));
  child.stderr.on("data", (chunk) => output.push(chunk));
  const timer = setInterval(
    () => {
      process.stderr.write(
        terminal ? `\rInstalling what Sotto needs (once)… ${seconds()} s ` : ".",
      );
    },
    terminal ? 500 : 5000,
  );
  const code = await new Promise((resolve) => child.on("close", resolve));
  clearInterval(timer);
  process.stderr.write(terminal ? "\n" : " ");
  if (code !== 0) {
    const log = join(mkdtempSync(join(tmpdir(), "sotto-install-")), "npm.log");
    writeFileSync(log, Buffer.concat(output));
    process.stderr.write(Buffer.concat(output).subarray(-4000));
    process.stderr.write(
      `\nThe installation failed (npm ended with ${code}); all of its output is in ${log}\n`,
    );
    process.exit(1);
  }
  writeFileSync(marker, fingerprint());
  process.stderr.write(`done in ${seconds()} s.\n`);
}

const [major] = process.versions.node.split(".").map(Number);
if (major < 20) {
  process.stderr.write(
    `Sotto needs Node 20 or newer to install itself; this is ${process.version}.\n`,
  );
  process.exit(1);
}
if (!installed()) await install();
