import type { Command } from "commander";
import type { Surroundings } from "../program.ts";
import { reach, wantsJson } from "../reach.ts";
import { table, when } from "../table.ts";

interface Person {
  readonly user: string;
  readonly name: string;
  readonly owner: boolean;
  readonly disabledSince?: number;
  readonly createdAt: number;
  readonly devices: number;
  readonly rooms: number;
}

/** `sotto-admin people`, `disable`, `enable`. */
export function addPeople(program: Command, around: Surroundings): void {
  program
    .command("people")
    .description("who has an account")
    .action(async (_options: object, command: Command) => {
      const answer = await reach(command, around).call("GET", "/people");
      if (wantsJson(command)) return around.out(`${JSON.stringify(answer)}\n`);
      const { people } = answer as { people: readonly Person[] };
      if (people.length === 0)
        return around.out("Nobody yet: sotto-admin invite --owner prints the first invite.\n");
      const rows = people.map((person) => [
        person.name,
        stateOf(person),
        String(person.devices),
        String(person.rooms),
        when(person.createdAt),
      ]);
      around.out(table(["NAME", "ACCOUNT", "DEVICES", "ROOMS", "SINCE"], rows, around.terminal));
    });
  program
    .command("disable")
    .description("switch an account off: its devices are out at once, its name stays taken")
    .argument("<user>", "name, as `people` lists it")
    .action(async (name: string, _options: object, command: Command) => {
      const answer = await switchAccount(command, around, name, "disable");
      if (answer)
        around.out(
          `${answer.name} ${answer.changed ? "is disabled" : "was disabled already"}. ` +
            "Members who are online take the account out of their rooms.\n",
        );
    });
  program
    .command("enable")
    .description("switch an account on again; members let it back into their rooms")
    .argument("<user>", "name, as `people` lists it")
    .action(async (name: string, _options: object, command: Command) => {
      const answer = await switchAccount(command, around, name, "enable");
      if (answer)
        around.out(
          `${answer.name} ${answer.changed ? "is enabled" : "was enabled already"}. ` +
            `Members let the account back in: sotto room add general ${answer.name}\n`,
        );
    });
}

function stateOf({ owner, disabledSince }: Person): string {
  if (disabledSince !== undefined) return `disabled ${when(disabledSince)}`;
  return owner ? "owner" : "member";
}

/** Undefined where the answer was written as JSON. */
async function switchAccount(
  command: Command,
  around: Surroundings,
  name: string,
  way: "disable" | "enable",
): Promise<{ name: string; changed: boolean } | undefined> {
  const path = `/people/${encodeURIComponent(name)}/${way}`;
  const answer = await reach(command, around).call("POST", path);
  if (!wantsJson(command)) return answer as { name: string; changed: boolean };
  around.out(`${JSON.stringify(answer)}\n`);
  return undefined;
}
