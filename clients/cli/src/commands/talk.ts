import type { Command } from "commander";
import { CommandContext } from "../command.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import type { Output } from "../output.ts";
import { printableJson, printableName } from "../printable.ts";
import { bytesText } from "../progress.ts";
import { count, positive } from "./flags.ts";
import { Days, describe, type Line } from "./history-lines.ts";

/** A text that is longer than this belongs into a file: `sotto share`. */
const textBytesMax = 64 * 1024;

export function registerTalk(program: Command): void {
  program
    .command("send")
    .description("send a message; returns when the server has it durably")
    .argument("<target>", "a room (id or name), or @somebody")
    .argument("<text...>", "the message, or - for standard input")
    .option("--timeout <seconds>", "how long to wait for the server", positive, 30)
    .action(async (target: string, words: string[], _flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const text = words.length === 1 && words[0] === "-" ? await readInput() : words.join(" ");
      if (text.length === 0)
        throw new CommandError(ExitCode.usage, "USAGE", "there is nothing to send");
      if (Buffer.byteLength(text) > textBytesMax) {
        throw new CommandError(
          ExitCode.refused,
          "TOO_LARGE",
          `a message holds at most ${bytesText(textBytesMax)}; share a file instead`,
        );
      }
      const timeoutMs = command.opts()["timeout"] * 1000;
      const sent = await context.call<Record<string, unknown>>("send", { target, text, timeoutMs });
      context.output.result(sent, () => context.output.dim(`sent, ${sent["sequence"]}`));
    });

  program
    .command("listen")
    .description("this device's history, then what comes")
    .option("--room <room>", "only this room (id or name)")
    .option("--after <sequence>", "only what stands after this sequence", count)
    .option("--no-follow", "end once everything that is there was shown")
    .action(async (_flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const { room, after, follow } = command.opts();
      const stop = new AbortController();
      const days = new Days();
      process.once("SIGINT", () => stop.abort());
      process.once("SIGTERM", () => stop.abort());
      try {
        await context.call(
          "listen",
          { follow, ...(room ? { room } : {}), ...(after !== undefined ? { after } : {}) },
          { signal: stop.signal, onItem: (line: Line) => show(context.output, line, days) },
        );
      } catch (error) {
        if (!stop.signal.aborted) throw error;
      }
    });
}

async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > textBytesMax + 2) break;
  }
  return Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}

function show(output: Output, line: Line, days: Days): void {
  // What is told live; a notice with the name of its room is a line of the history.
  const passes = line.type === "notice" && line["roomName"] === undefined;
  if (passes || line.type === "connection") {
    if (output.json) output.note(printableJson(line));
    else output.note(output.dim(printableName(line["text"] ?? line["reason"] ?? line["state"])));
    return;
  }
  const human = describe(output, line);
  if (!output.json && human === undefined) return;
  output.result(line, () => {
    const shown = [days.of(output, line), human];
    return shown.filter((text) => text !== undefined).join("\n");
  });
}
