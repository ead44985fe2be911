import { type Command, Option } from "commander";
import { CommandContext } from "../command.ts";
import { printableName } from "../printable.ts";
import { roomIs } from "./flags.ts";

/** A room as `rooms` lists it. */
export interface RoomLine {
  readonly room: string;
  readonly name: string;
  readonly members: number;
  readonly history?: string;
  readonly state: string;
}

interface MemberLine {
  readonly user: string;
  readonly admin: boolean;
  readonly devices: number;
  readonly history?: string;
}

const meanings: Readonly<Record<string, string>> = {
  none: "what is said from now on is only for devices that are here, not for a later one of one's own either",
  "since-join": "members' own new devices get what is said from now on, newcomers do not",
  all: "newcomers get what is said from now on",
};

/** What a room's policy on history says, for people. */
export function historyMeaning(history: unknown): string {
  return meanings[String(history)] ?? String(history);
}

const policiesHelp = [
  "\nPolicies, each for what is said from then on:",
  ...Object.entries(meanings).map(([policy, meaning]) => `  ${policy.padEnd(12)}${meaning}`),
].join("\n");

const historyFlag = () =>
  new Option("--history <policy>", "who may have what was said before they came").choices(
    Object.keys(meanings),
  );

export function registerRooms(program: Command): void {
  const room = program.command("room").description("make rooms, add and remove people");

  room
    .command("create")
    .description("make a room with you in it")
    .argument("<name>")
    .addOption(historyFlag().default("all"))
    .addHelpText("after", policiesHelp)
    .action(async (name: string, _flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const made = await context.call<{ room: string; name: string }>("roomCreate", {
        name,
        history: command.opts()["history"],
      });
      context.output.result(
        made,
        () => `${context.output.bold(made.name)}  ${context.output.dim(made.room)}`,
      );
    });

  for (const [name, method, verb] of [
    ["add", "roomAdd", "added to"],
    ["remove", "roomRemove", "removed from"],
  ] as const) {
    room
      .command(name)
      .description(`${name} somebody, with all devices`)
      .argument("<room>", roomIs)
      .argument("<user>")
      .action(async (target: string, user: string, _flags, command: Command) => {
        const context = new CommandContext(command.optsWithGlobals());
        const done = await context.call<{ room: string; sequence: number; already?: boolean }>(
          method,
          { room: target, user },
        );
        context.output.result(done, () =>
          done.already ? `${user} is in ${target} already` : `${user} was ${verb} ${target}`,
        );
      });
  }

  room
    .command("policy")
    .description(
      "show who may have what is said, or change it for what is said from now on; for admins",
    )
    .argument("<room>", roomIs)
    .addOption(historyFlag())
    .addHelpText("after", policiesHelp)
    .action(async (target: string, _flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const { history } = command.opts();
      const params = { room: target, ...(history === undefined ? {} : { history }) };
      const policy = await context.call<{ history?: string }>("roomPolicy", params);
      context.output.result(policy, () => `${target}: ${historyMeaning(policy.history)}`);
    });

  program
    .command("rooms")
    .description("your rooms")
    .action(async (_flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const { rooms, waiting } = await context.call<{ rooms: RoomLine[]; waiting?: string }>(
        "rooms",
      );
      for (const line of rooms) {
        context.output.result(line, () => {
          const people = line.state === "active" ? `${line.members} member(s)` : "coming in";
          const history = line.history ? `history ${line.history}  ` : "";
          return `${context.output.bold(printableName(line.name || "(untitled)"))}  ${people}  ${history}${context.output.dim(line.room)}`;
        });
      }
      if (waiting) context.output.note(waiting);
    });

  program
    .command("members")
    .description("who is in a room")
    .argument("<room>", roomIs)
    .action(async (target: string, _flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const lines = await context.call<MemberLine[]>("members", { room: target });
      for (const line of lines)
        context.output.result(line, () => `${line.user}${line.admin ? "  admin" : ""}`);
      const history = lines[0]?.history;
      if (history) context.output.note(context.output.dim(`history: ${history}`));
    });
}
