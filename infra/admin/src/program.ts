import type { Environment } from "@sotto/chassis";
import { Command, CommanderError } from "commander";
import { giveSecrets } from "./secrets.ts";

export interface ProgramOptions {
  readonly env: Environment;
  /** Standard output is a terminal. */
  readonly terminal: boolean;
  out(text: string): void;
  complain(text: string): void;
}

/** Runs one command; resolves with the exit code: 0 done, 1 refused or failed, 2 wrong usage. */
export async function run(args: readonly string[], options: ProgramOptions): Promise<number> {
  const program = new Command("sotto-admin");
  program
    .command("secrets <folder>")
    .action(async (folder: string) => {
      const { made, kept } = await giveSecrets(folder);
      options.out(`secrets: ${made.length} made, ${kept.length} kept\n`);
    });
  program.exitOverride();
  try {
    await program.parseAsync([...args], { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    throw error;
  }
}
