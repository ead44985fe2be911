import type { Environment } from "@sotto/chassis";
import { Command, CommanderError } from "commander";
import { addConfig } from "./commands/config.ts";
import { addInvites } from "./commands/invites.ts";
import { addPeople } from "./commands/people.ts";
import { addSecrets } from "./commands/secrets.ts";
import { addStatus } from "./commands/status.ts";

/** What a command has of the process that it runs in. */
export interface Surroundings {
  readonly env: Environment;
  /** Standard output is a terminal. */
  readonly terminal: boolean;
  out(text: string): void;
  complain(text: string): void;
}

export const exitCodes = { done: 0, failed: 1, usage: 2 } as const;

/** Runs one command. Resolves with its exit code; rejects with `StartError`, one clear line, where it failed. */
export async function run(args: readonly string[], around: Surroundings): Promise<number> {
  const program = new Command("sotto-admin")
    .description(
      "Looks after a running Sotto server: who may join, who has an account, how it is set up.\n" +
        "It opens no room and reads no message: nobody but the members can.",
    )
    .option("--data <folder>", "data folder of the server (SOTTO_DATA, default ./data)")
    .option("--json", "one JSON object on standard output")
    .showHelpAfterError("sotto-admin --help shows what there is.")
    .addHelpText("after", "\nExit codes: 0 done, 1 refused or failed, 2 wrong usage.")
    .configureOutput({ writeOut: around.out, writeErr: around.complain })
    .exitOverride();
  let code: number = exitCodes.done;
  const failed = () => {
    code = exitCodes.failed;
  };
  addInvites(program, around);
  addPeople(program, around);
  addConfig(program, around, failed);
  addSecrets(program, around);
  addStatus(program, around);
  for (const command of program.commands) settle(command);
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  }

  function settle(command: Command): void {
    command
      .exitOverride()
      .configureOutput({ writeOut: around.out, writeErr: around.complain })
      .showHelpAfterError("sotto-admin --help shows what there is.");
    for (const inner of command.commands) settle(inner);
  }
}
