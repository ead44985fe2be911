import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { Surroundings } from "../program.ts";
import { reach, wantsJson } from "../reach.ts";
import { table, when } from "../table.ts";

interface Invite {
  readonly id: string;
  readonly by: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly usesLeft: number;
  readonly rooms: readonly string[];
}

interface InviteOptions {
  readonly owner?: true;
  readonly uses?: number;
  readonly expires?: number;
}

/** `sotto-admin invite`, `invites`, `invites revoke`. */
export function addInvites(program: Command, around: Surroundings): void {
  program
    .command("invite")
    .description("print an invite; a member lets whoever comes by it into rooms")
    .option("--owner", "for the owner: whoever uses it first makes the first account")
    .option("--uses <n>", "how many people may use it (default 1)", wholeNumber)
    .option("--expires <time>", "how long it is good for: 30m, 12h, 7d, never (default 7d)", span)
    .action(async ({ owner, uses, expires }: InviteOptions, command: Command) => {
      const body = {
        ...(owner ? { owner } : {}),
        ...(uses === undefined ? {} : { uses }),
        ...(expires === undefined ? {} : { expiresInMs: expires }),
      };
      const answer = await reach(command, around).call("POST", "/invites", body);
      if (wantsJson(command)) return around.out(`${JSON.stringify(answer)}\n`);
      const { invite, link, expiresAt } = answer as {
        invite: string;
        link: string;
        expiresAt: number;
      };
      const lasts = expiresAt === 0 ? "" : `\nGood until ${when(expiresAt)} UTC.\n`;
      around.out(
        `${link}\n\nIn the folder of the client:\n./sotto join '${invite}' --name YOU\n${lasts}`,
      );
    });
  const invites = program
    .command("invites")
    .description("invites that may still be used; `invites revoke <id>` takes one back");
  invites
    .command("list", { isDefault: true })
    .description("list them")
    .action(async (_options: object, command: Command) => {
      const answer = await reach(command, around).call("GET", "/invites");
      if (wantsJson(command)) return around.out(`${JSON.stringify(answer)}\n`);
      const rows = (answer as { invites: readonly Invite[] }).invites.map((invite) => [
        invite.id,
        invite.by,
        String(invite.usesLeft),
        invite.expiresAt === 0 ? "never" : when(invite.expiresAt),
        String(invite.rooms.length),
      ]);
      if (rows.length === 0) return around.out("No invite may still be used.\n");
      around.out(table(["ID", "BY", "USES LEFT", "EXPIRES", "ROOMS"], rows, around.terminal));
    });
  invites
    .command("revoke")
    .description("take an invite back: nobody joins with it any more")
    .argument("<id>", "as `invites` lists it")
    .action(async (id: string, _options: object, command: Command) => {
      await reach(command, around).call("DELETE", `/invites/${encodeURIComponent(id)}`);
      around.out(wantsJson(command) ? "{}\n" : `Invite ${id} is revoked.\n`);
    });
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError("It must be a number from 1.");
  return Number(text);
}

const unitMs: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function span(text: string): number {
  if (text === "never") return 0;
  const [, count, unit = ""] = /^([1-9]\d{0,4})([mhd])$/.exec(text) ?? [];
  const factor = unitMs[unit];
  if (!count || !factor) throw new InvalidArgumentError("It must be like 30m, 12h, 7d or never.");
  return Number(count) * factor;
}
