import { resolve } from "node:path";
import type { Command } from "commander";
import { CommandContext } from "../command.ts";
import { printableName } from "../printable.ts";
import { bytesText, Progress } from "../progress.ts";
import { objectIs, ofRoom } from "./flags.ts";

interface Step {
  readonly done: number;
  readonly total: number;
}

interface MediaLine {
  readonly object: string;
  readonly name: string;
  readonly bytes: number;
  readonly mime: string;
  readonly sender: string;
}

export function registerMedia(program: Command): void {
  program
    .command("share")
    .description("share a file or video with a room; run again, it goes on where it stopped")
    .argument("<file>")
    .requiredOption("--to <room>", "a room (id or name), or @somebody")
    .action(async (file: string, _flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const progress = new Progress("sharing", context.config.terminal);
      const shared = await context.call<{ object: string; bytes: number; pieces: number }>(
        "share",
        { file: resolve(file), target: command.opts()["to"] },
        { onItem: ({ done, total }: Step) => progress.update(done, total) },
      );
      progress.end();
      context.output.result(
        shared,
        () => `${bytesText(shared.bytes)} shared: ${context.output.accent(shared.object)}`,
      );
    });

  program
    .command("media")
    .description("files and videos of your rooms")
    .argument("[room]")
    .action(async (room: string | undefined, _flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      for (const line of await context.call<MediaLine[]>("media", room ? { room } : {})) {
        context.output.result(
          line,
          () =>
            `${line.object}  ${bytesText(line.bytes).padStart(10)}  ${printableName(line.name)}  ${context.output.dim(`from ${printableName(line.sender)}`)}`,
        );
      }
    });

  program
    .command("save")
    .description("receive a file; run again, it goes on where it stopped")
    .argument("<object>", objectIs)
    .argument(
      "[path]",
      "a file, replaced where it exists, or a folder (default: here, under the file's own name)",
    )
    .option("--room <room>", ofRoom)
    .action(async (object: string, path: string | undefined, _flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const { room } = command.opts();
      const progress = new Progress("receiving", context.config.terminal);
      const saved = await context.call<{ path: string; bytes: number }>(
        "save",
        {
          object,
          folder: process.cwd(),
          ...(path ? { path: resolve(path) } : {}),
          ...(room ? { room } : {}),
        },
        { onItem: ({ done, total }: Step) => progress.update(done, total) },
      );
      progress.end();
      context.output.result(
        saved,
        () => `${printableName(saved.path)} (${bytesText(saved.bytes)})`,
      );
    });
}
