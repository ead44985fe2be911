import type { Command } from "commander";
import { giveSecrets } from "../give-secrets.ts";
import type { Surroundings } from "../program.ts";

/** `sotto-admin secrets`: what the setup container runs. */
export function addSecrets(program: Command, { out }: Surroundings): void {
  program
    .command("secrets")
    .description("make the secrets of a server of several containers, once, a folder for each")
    .argument("<folder>", "folder that holds a folder for each part")
    .action(async (folder: string) => {
      const { made, kept } = await giveSecrets(folder);
      out(`${JSON.stringify({ event: "secrets", made: made.length, kept: kept.length })}\n`);
    });
}
