import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ServerCommand } from "./server-command.ts";

const run = promisify(execFile);
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** A Debian package whose server is run from where it was unpacked. */
export interface DebianServer {
  readonly package: string;
  readonly suite: string;
  /** Path of the server inside the package. */
  readonly binary: string;
}

/**
 * Unpacks a server from a later Debian suite into `cacheFolder`, with the libraries that it
 * needs, and leaves the system's own packages and package lists alone. Later calls find it there.
 */
export async function unpackedServer(
  server: DebianServer,
  cacheFolder: string,
): Promise<ServerCommand> {
  const root = join(cacheFolder, `${server.package}-${server.suite}`);
  const unpacked = await stat(root).catch(() => undefined);
  if (!unpacked) await unpack(server, cacheFolder, root);
  return commandIn(root, server.binary);
}

/** The suite's own C library comes along, so its own loader must start the binary. */
async function commandIn(root: string, binary: string): Promise<ServerCommand> {
  const file = join(root, binary);
  const libraries = join(root, "usr/lib");
  for (const entry of await readdir(libraries).catch(() => [])) {
    if (!entry.endsWith("-linux-gnu")) continue;
    const folder = join(libraries, entry);
    const loader = (await readdir(folder)).find((name) => /^ld-linux.*\.so\.\d$/.test(name));
    if (!loader) continue;
    const leading = ["--library-path", folder, "--argv0", binary.split("/").at(-1) ?? "", file];
    return { file: join(folder, loader), leading, origin: "unpacked" };
  }
  return { file, leading: [], origin: "unpacked" };
}

async function unpack(server: DebianServer, cacheFolder: string, root: string): Promise<void> {
  await mkdir(cacheFolder, { recursive: true });
  const work = await mkdtemp(join(cacheFolder, "unpack-"));
  try {
    const lists = join(work, "apt");
    await mkdir(join(lists, "lists/partial"), { recursive: true });
    await mkdir(join(lists, "archives/partial"), { recursive: true });
    await writeFile(join(lists, "status"), "");
    const source = `deb [signed-by=${keyring}] ${await debianMirror()} ${server.suite} main\n`;
    await writeFile(join(lists, "sources.list"), source);
    await apt(lists, ["update"]);
    await apt(lists, ["-y", "--download-only", "install", server.package]);
    const fresh = join(work, "root");
    await mkdir(join(fresh, "usr/lib"), { recursive: true });
    for (const name of await wantedArchives(join(lists, "archives"))) {
      await run("dpkg-deb", ["-x", join(lists, "archives", name), fresh]);
    }
    // Another test file may have been faster: theirs is as good as ours.
    await rename(fresh, root).catch(async (cause: unknown) => {
      if (!(await stat(root).catch(() => undefined))) throw cause;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function wantedArchives(folder: string): Promise<string[]> {
  const all = (await readdir(folder)).filter((name) => name.endsWith(".deb"));
  return all.filter((name) => /^(lib|redis|nats|zlib|prometheus_)/.test(name));
}

async function apt(folder: string, command: readonly string[]): Promise<void> {
  const options = [
    `Dir::Etc::SourceList=${folder}/sources.list`,
    "Dir::Etc::SourceParts=/dev/null",
    "Dir::Etc::Preferences=/dev/null",
    "Dir::Etc::PreferencesParts=/dev/null",
    `Dir::State::Lists=${folder}/lists`,
    `Dir::State::Status=${folder}/status`,
    `Dir::Cache=${folder}`,
    `Dir::Cache::Archives=${folder}/archives`,
    "Acquire::Languages=none",
    "APT::Install-Recommends=false",
    "APT::Sandbox::User=root",
    "Debug::NoLocking=true",
  ];
  const flags = options.flatMap((option) => ["-o", option]);
  await run("apt-get", ["-q", ...flags, ...command], { maxBuffer: 16 * 1024 * 1024 });
}

/** The mirror that this machine's own apt sources name. */
async function debianMirror(): Promise<string> {
  const extra = await readdir("/etc/apt/sources.list.d").catch(() => []);
  const files = ["/etc/apt/sources.list", ...extra.map((n) => `/etc/apt/sources.list.d/${n}`)];
  for (const file of files) {
    const text = await readFile(file, "utf8").catch(() => "");
    const lines = text.split("\n").filter((line) => !line.trimStart().startsWith("#"));
    const mirror = /[a-z+]+:\/\/[^\]\s]+\/debian\/?(?=\s|$)/m.exec(lines.join("\n"));
    if (mirror) return mirror[0];
  }
  throw new Error("no Debian mirror in this machine's apt sources");
}
