import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { own } from "./children.ts";

const cli = join(import.meta.dirname, "..", "..", "clients", "cli", "bin", "sotto.js");

export type Line = Readonly<Record<string, unknown>>;

/** Somebody at a terminal of their own: a profile folder and the `sotto` command. */
export class Person {
  readonly name: string;
  readonly #home: string;

  constructor(name: string, home: string) {
    this.name = name;
    this.#home = home;
  }

  /** Runs a command to its end and answers what it printed. Rejects where it failed. */
  async run(...args: readonly string[]): Promise<Line[]> {
    const output = await this.bytes(...args);
    const text = output.toString("utf8").trim();
    return text === "" ? [] : text.split("\n").map((line) => JSON.parse(line) as Line);
  }

  /** The first line of a command's output. */
  async one(...args: readonly string[]): Promise<Line> {
    const [line] = await this.run(...args);
    if (!line) throw new Error(`sotto ${args.join(" ")} printed nothing`);
    return line;
  }

  /** Raw standard output of a command. */
  async bytes(...args: readonly string[]): Promise<Buffer> {
    const child = this.#spawn(args);
    const output: Buffer[] = [];
    let complaint = "";
    child.stdout?.on("data", (chunk) => output.push(chunk));
    child.stderr?.on("data", (chunk) => {
      complaint += chunk;
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    if (code !== 0) throw new Error(`sotto ${args.join(" ")} ended with ${code}: ${complaint}`);
    return Buffer.concat(output);
  }

  /** Begins to listen; lines arrive in `lines` as they are printed. */
  listen(...args: readonly string[]): Listener {
    return this.begin("listen", ...args);
  }

  /** Begins any command that prints as it goes. */
  begin(...args: readonly string[]): Listener {
    return new Listener(this.#spawn(args));
  }

  #spawn(args: readonly string[]): ChildProcess {
    const words = ["--disable-warning=ExperimentalWarning", cli, "--home", this.#home, "--json"];
    return own(spawn(process.execPath, [...words, ...args], { stdio: ["ignore", "pipe", "pipe"] }));
  }
}

const waitTimeoutMs = 20_000;

/** A running command, `sotto listen` for one. */
export class Listener {
  readonly lines: Line[] = [];
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();

  constructor(child: ChildProcess) {
    this.#child = child;
    if (!child.stdout) throw new Error("no output to read");
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.lines.push(JSON.parse(line) as Line);
      for (const check of this.#waiting) check();
    });
  }

  /** The first line that `matches`, waited for. */
  async until(what: string, matches: (line: Line) => boolean): Promise<Line> {
    const found = () => this.lines.find(matches);
    return (
      found() ??
      (await new Promise<Line>((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`waited in vain for ${what}`)),
          waitTimeoutMs,
        );
        const check = () => {
          const line = found();
          if (!line) return;
          clearTimeout(timer);
          this.#waiting.delete(check);
          resolve(line);
        };
        this.#waiting.add(check);
      }))
    );
  }

  stop(): void {
    this.#child.kill("SIGTERM");
  }

  /** Its exit code, waited for. */
  async ended(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null)
      await new Promise((resolve) => this.#child.once("close", resolve));
    return this.#child.exitCode;
  }
}
