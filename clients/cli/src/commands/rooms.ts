import type { Command } from "commander";
import { CommandContext } from "../command.ts";

interface RoomLine {
  readonly room: string;
  readonly name: string;
  readonly members: number;
  readonly state: string;
}

interface MemberLine {
  readonly user: string;
  readonly admin: boolean;
  readonly devices: number;
}

export function registerRooms(program: Command): void {
  const room = program.command("room").description("make rooms, add and remove people");

  room
    .command("create")
    .description("make a room with you in it")
    .argument("<name>")
    .action(async (name: string, _flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const made = await context.call<{ room: string; name: string }>("roomCreate", { name });
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
      .argument("<room>")
      .argument("<user>")
      .action(async (target: string, user: string, _flags, command: Command) => {
        const context = new CommandContext(command.optsWithGlobals());
        const done = await context.call<{ room: string; sequence: number }>(method, {
          room: target,
          user,
        });
        context.output.result(done, () => `${user} was ${verb} ${target}`);
      });
  }

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
          return `${context.output.bold(line.name || "(untitled)")}  ${people}  ${context.output.dim(line.room)}`;
        });
      }
      if (waiting) context.output.note(waiting);
    });

  program
    .command("members")
    .description("who is in a room")
    .argument("<room>")
    .action(async (target: string, _flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      for (const line of await context.call<MemberLine[]>("members", { room: target })) {
        context.output.result(line, () => `${line.user}${line.admin ? "  admin" : ""}`);
      }
    });
}
