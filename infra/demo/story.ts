import { styleText } from "node:util";

/** Tells the demo step by step, as a person wants to read it. */
export class Story {
  readonly #colour = process.stdout.isTTY === true;
  readonly #startedMs = performance.now();
  #steps = 0;

  /** Runs one step under its title, and says how long it took. */
  async step<Result>(title: string, run: () => Promise<Result>): Promise<Result> {
    this.#steps++;
    const startedMs = performance.now();
    process.stdout.write(`\n${this.#style("bold", `${this.#steps}. ${title}`)}\n`);
    const result = await run();
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    process.stdout.write(this.#style("dim", `   done in ${seconds} s\n`));
    return result;
  }

  say(text: string): void {
    process.stdout.write(`   ${this.#style("green", "✓")} ${text}\n`);
  }

  end(): void {
    const seconds = ((performance.now() - this.#startedMs) / 1000).toFixed(0);
    process.stdout.write(`\n${this.#steps} steps in ${seconds} s\ndemo ok\n`);
  }

  failed(error: unknown): void {
    process.stderr.write(
      `\n   ✗ ${error instanceof Error ? error.message : String(error)}\ndemo failed\n`,
    );
  }

  #style(format: "bold" | "dim" | "green", text: string): string {
    return this.#colour ? styleText(format, text) : text;
  }
}
