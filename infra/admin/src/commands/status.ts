import type { Command } from "commander";
import type { Surroundings } from "../program.ts";
import { reach, wantsJson } from "../reach.ts";

interface Directory {
  readonly size: number;
  readonly root: string;
  readonly behind: boolean;
  readonly signed?: number;
  readonly altered: boolean;
}

/** `sotto-admin status`. */
export function addStatus(program: Command, around: Surroundings): void {
  program
    .command("status")
    .description("how the key directory stands")
    .action(async (_options: object, command: Command) => {
      const answer = await reach(command, around).call("GET", "/status");
      if (wantsJson(command)) return around.out(`${JSON.stringify(answer)}\n`);
      const { directory } = answer as { directory: Directory };
      around.out(
        `Key directory: ${directory.size} records, root ${directory.root}\n${wordsOf(directory)}\n`,
      );
    });
}

function wordsOf({ behind, signed, size, altered }: Directory): string {
  if (altered)
    return (
      "Its store was altered: clients refuse what it says, and nobody joins or adds a device.\n" +
      "Restore it from a backup."
    );
  if (signed !== undefined)
    return (
      `It lacks ${signed - size} records that this server has signed: nobody joins or adds a device\n` +
      "until clients have handed them back, which they do by themselves when they come online."
    );
  if (behind)
    return (
      "It was restored from a backup, and nobody has said what stood before: nobody joins or adds a device\n" +
      "until you write it into the file restored, or take that file away (docs/operating.md)."
    );
  return "It holds all that this server has signed.";
}
