import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Recording } from "./recording.ts";
import { type MarksOf, recordingFromTrace } from "./trace-recording.ts";

const calls = [
  "open,creat,openat,close,lseek,read,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg",
  "ftruncate,truncate,fallocate,fsync,fdatasync,mkdir,mkdirat,rename,renameat,renameat2",
  "unlink,unlinkat,rmdir,link,linkat,symlink,symlinkat,mmap,copy_file_range,sendfile",
].join(",");

const straceFlags = [
  ...["-f", "-y", "-xx", "-qq", "-s", "8388608", "-e", "signal=none"],
  ...["-e", `trace=${calls}`],
];

/** Records what any process does to a folder. Needs `strace` (Linux). */
export interface FileTrace extends AsyncDisposable {
  /** The program and arguments to run the writer under: put them before its command. */
  readonly under: readonly string[];
  /** The recording so far; complete once the writer has ended. */
  recording(): Promise<Recording>;
}

export interface FileTraceOptions {
  /** The folder that the writer stores in. It exists, and is empty when the writer starts. */
  readonly folder: string;
  /**
   * Finds promises in what the writer wrote to a pipe or socket, as latin1 text: each becomes
   * a mark. Without it every line of standard output is one.
   */
  readonly marksOf?: MarksOf;
}

/**
 * Prepares a trace. One process, with any number of threads, may write to the folder. Writes
 * through shared memory, `link`, `fallocate` and `copy_file_range` in the folder make `recording`
 * throw, since they would go unseen.
 */
export async function traceFiles(options: FileTraceOptions): Promise<FileTrace> {
  const work = await mkdtemp(join(tmpdir(), "sotto-trace-"));
  const output = join(work, "trace");
  const folder = await realpath(options.folder);
  const marksOf = options.marksOf ?? linesOfStandardOutput;
  return {
    under: ["strace", ...straceFlags, "-o", output],
    recording: async () => recordingFromTrace(await readFile(output, "latin1"), folder, marksOf),
    [Symbol.asyncDispose]: () => rm(work, { recursive: true, force: true }),
  };
}

export interface RunningTraceOptions {
  /** A process that has no open file in the folder yet; what it becomes by exec is traced on. */
  readonly pid: number;
  /** The folder as that process names it: in a container, the path in there. It is empty. */
  readonly folder: string;
  readonly marksOf: MarksOf;
}

/** Traces a process that runs already, from the moment that this resolves. Needs its rights. */
export async function traceRunning(
  options: RunningTraceOptions,
): Promise<Omit<FileTrace, "under">> {
  const work = await mkdtemp(join(tmpdir(), "sotto-trace-"));
  const output = join(work, "trace");
  const flags = [...straceFlags, "-o", output, "-p", String(options.pid)];
  const strace = spawn("strace", flags, { stdio: "ignore" });
  const ended = once(strace, "close");
  while (!(await isTraced(options.pid))) {
    if (strace.exitCode !== null) throw new Error(`strace ended with ${strace.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    async recording() {
      strace.kill("SIGINT");
      await ended;
      return recordingFromTrace(await readFile(output, "latin1"), options.folder, options.marksOf);
    },
    async [Symbol.asyncDispose]() {
      strace.kill("SIGKILL");
      await ended;
      await rm(work, { recursive: true, force: true });
    },
  };
}

async function isTraced(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return !/^TracerPid:\s+0$/m.test(status);
}

const linesOfStandardOutput: MarksOf = (text, descriptor) =>
  descriptor === 1 ? text.split("\n").filter((line) => line !== "") : [];

/** Runs a command to its end under a trace of `folder`; every line that it prints is a mark. */
export async function recordProcess(
  folder: string,
  command: readonly string[],
): Promise<Recording> {
  await using trace = await traceFiles({ folder });
  const [file = "strace", ...rest] = [...trace.under, ...command];
  const child = spawn(file, rest, { stdio: ["ignore", "pipe", "inherit"] });
  child.stdout.resume();
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`the traced process ended with ${code}`);
  return trace.recording();
}

/** Why processes cannot be traced here, or undefined where they can. */
export async function traceMissing(): Promise<string | undefined> {
  const child = spawn("strace", ["-qq", "-o", "/dev/null", "true"], { stdio: "ignore" });
  try {
    const [code] = await once(child, "close");
    return code === 0 ? undefined : `strace ended with ${code}: may it trace processes here?`;
  } catch {
    return "strace is not installed (Debian package strace)";
  }
}
