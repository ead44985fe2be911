import type { Command } from "commander";
import { CommandContext } from "../command.ts";
import { ExitCode } from "../exit-code.ts";
import type { Output } from "../output.ts";

interface Report {
  readonly records: number;
  readonly users: number;
  readonly devices: number;
  readonly root: string;
  readonly checkpoint?: { readonly size: number; readonly logKey: string };
  readonly behind: boolean;
  readonly own: { readonly records: number; readonly devices: number };
  readonly faults: readonly { readonly kind: string; readonly what: string }[];
}

export function registerAudit(program: Command): void {
  program
    .command("audit")
    .description("check the server's whole key directory, from the first record on")
    .action(async (_flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const report = await context.call<Report>(
        "audit",
        {},
        {
          onItem: ({ done, total }: { done: number; total: number }) => {
            if (context.config.terminal) process.stderr.write(`\r${done} of ${total} records `);
          },
        },
      );
      if (context.config.terminal) process.stderr.write("\r");
      context.output.result(report, () => summary(context.output, report));
      if (report.faults.length > 0) process.exitCode = ExitCode.refused;
    });
}

function summary(output: Output, report: Report): string {
  const { checkpoint, faults, own } = report;
  return [
    `${report.records} records: ${report.users} people, ${report.devices} devices`,
    `yours: ${own.records} record(s), ${own.devices} device(s)`,
    `root ${report.root}`,
    checkpoint
      ? `signed for ${checkpoint.size} records by ${checkpoint.logKey.slice(0, 16)}…`
      : "no checkpoint that can be read",
    ...(report.behind ? ["the server runs on an older copy and takes back what it lacks"] : []),
    ...(faults.length === 0
      ? ["Every record follows the rules, and they are the ones that the server signed."]
      : faults.map(({ what }) => output.bold(`FAULT  ${what}`))),
  ].join("\n");
}
