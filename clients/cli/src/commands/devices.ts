import type { Command } from "commander";
import { CommandContext } from "../command.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import { printableName } from "../printable.ts";
import type { RoomLine } from "./rooms.ts";

interface DeviceLine {
  readonly device: string;
  readonly name: string;
  readonly current: boolean;
  readonly revoked: boolean;
  /** Wall time, ms. */
  readonly added: number;
}

interface Linked {
  readonly device: string;
  readonly name: string;
  readonly user: string;
}

export function registerDevices(program: Command): void {
  program
    .command("link")
    .description("add another device of yours: shows a code, and waits until it was used")
    .action(async (_flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const linked = await link(context);
      context.output.result(
        linked,
        () =>
          `${context.output.bold(printableName(linked.name))} is a device of ${linked.user} now.`,
      );
      if (!context.output.json) await tellKept(context);
    });

  const devices = program
    .command("devices")
    .description("your devices; sotto devices revoke <id> takes one out")
    .action(async (_flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      for (const line of await context.call<DeviceLine[]>("devices"))
        context.output.result(line, () => describe(context, line));
    });

  devices
    .command("revoke")
    .description("take a device out for good: it is cut off, and no room is sealed for it any more")
    .argument("<device>", "its id, the beginning of it, or its name")
    .option("--yes", "even where it is this very device")
    .action(async (device: string, _flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const yes = command.opts()["yes"] === true;
      const revoked = await context.call<DeviceLine>("revokeDevice", { device, yes });
      context.output.result(
        revoked,
        () => `${context.output.bold(printableName(revoked.name))} is revoked (${revoked.device}).`,
      );
    });
}

/** What a new device does not get, as those rooms decided. */
async function tellKept(context: CommandContext): Promise<void> {
  const { rooms } = await context.call<{ rooms: RoomLine[] }>("rooms");
  const kept = rooms.filter(({ history }) => history === "none");
  if (kept.length === 0) return;
  const names = kept.map(({ name }) => printableName(name)).join(", ");
  context.output.note(`What was said before in ${names} stays on the devices that were there.`);
}

/** Shows the code as soon as it is there; resolves when the new device has joined. */
async function link(context: CommandContext): Promise<Linked> {
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  process.once("SIGTERM", () => stop.abort());
  const show = (item: { code?: string; offer?: string }) => {
    if (item.offer !== undefined) context.output.note(`${printableName(item.offer)} comes in …`);
    if (item.code !== undefined) showCode(context, item.code);
  };
  try {
    return await context.call<Linked>("link", {}, { onItem: show, signal: stop.signal });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    throw new CommandError(ExitCode.refused, "LINK_ENDED", "ended; no device was added");
  }
}

function showCode(context: CommandContext, code: string): void {
  context.output.result({ code }, () =>
    [
      "On the new device:",
      `  sotto join --link '${context.output.accent(code)}'`,
      "The code adds one device, within ten minutes. Show it to nobody else; Ctrl-C ends it.",
    ].join("\n"),
  );
  void context.output.qr(code);
}

function describe({ output }: CommandContext, line: DeviceLine): string {
  const states = [...(line.current ? ["this device"] : []), ...(line.revoked ? ["revoked"] : [])];
  const state = states.length > 0 ? `  ${states.join(", ")}` : "";
  const added = new Date(line.added).toLocaleDateString();
  return `${output.dim(line.device)}  ${output.bold(printableName(line.name))}  since ${added}${state}`;
}
