import { checkSettings, type SettingReport } from "@sotto/settings";
import type { Command } from "commander";
import type { Surroundings } from "../program.ts";
import { wantsJson } from "../reach.ts";
import { table } from "../table.ts";

/** `sotto-admin config check`. */
export function addConfig(program: Command, around: Surroundings, failed: () => void): void {
  program
    .command("config")
    .description("how the server is set up")
    .command("check")
    .description(
      "judge the settings that it sees: this environment, and the file that SOTTO_CONFIG names",
    )
    .option("--file <file>", "JSON file of settings, instead of the one that SOTTO_CONFIG names")
    .action(({ file }: { file?: string }, command: Command) => {
      const report = checkSettings(around.env, file);
      if (report.problems.length > 0) failed();
      if (wantsJson(command)) return around.out(`${JSON.stringify(report)}\n`);
      if (report.problems.length > 0) {
        around.complain(
          `The configuration is wrong:\n${report.problems.map((line) => `  ${line}\n`).join("")}`,
        );
        return;
      }
      const rows = report.settings.filter(isSet).map(rowOf);
      around.out(table(["SETTING", "VALUE", "FROM"], rows, around.terminal));
      around.out(`The configuration is right. ${judged}\n`);
    });
}

/** What the judgement is about: nobody should take it for more. */
const judged =
  "Judged were this environment and the file that SOTTO_CONFIG or --file names: not flags of npm start, no .env that " +
  "was not exported, and in a container only what that one is given.";

function isSet({ value }: SettingReport): boolean {
  return value !== undefined;
}

function rowOf({ variable, value = "", from }: SettingReport): string[] {
  return [variable, value, from];
}
