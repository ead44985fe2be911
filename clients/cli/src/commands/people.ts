import { nameInInvite } from "@sotto/sdk";
import { type Command, Option } from "commander";
import { CommandContext } from "../command.ts";
import { parseDuration } from "../duration.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import { printableName } from "../printable.ts";
import { readSecret, secretFlag } from "../prompt.ts";
import { positive } from "./flags.ts";

/** Who a profile is, as several commands answer it. */
export interface Self {
  readonly user: string;
  readonly userId: string;
  readonly device: string;
  readonly server: string;
  readonly waiting?: string;
  readonly connection?: string;
  /** Why the server has no more to do with this device. */
  readonly refused?: string;
  readonly recovery?: "none" | "unconfirmed" | "set";
  readonly directory?: { readonly size: number; readonly state: string; readonly why?: string };
  readonly rooms?: readonly { room: string; name: string }[];
}

export function registerPeople(program: Command): void {
  program
    .command("join")
    .description(
      "make your account with an invite, or add this device to it with a code of sotto link",
    )
    .argument("[invite]", "sotto://… or the https://… link, all of it")
    .option("--name <name>", "how others call you: letters, digits, . _ -")
    .addOption(
      new Option("--suite <suite>", "how to seal, where the invite does not say (or SOTTO_SUITE)")
        .choices(suites)
        .default(undefined, "x-wing"),
    )
    .option(
      "--link [code]",
      `instead of an invite: what sotto link shows on a device of yours (default: asked for)${secretFlag}`,
    )
    .option("--device-name <name>", "how this device is listed (default: the machine's name)")
    .option("--passphrase", "protect the profile with a passphrase")
    .action(async (invite: string | undefined, _flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const self = await join(context, invite, command.opts());
      showArrival(context, self);
      if (invite !== undefined && nameIn(invite) !== undefined) context.output.note(withoutPast);
      if (invite !== undefined && !context.output.json)
        context.output.note(reminder(context, "none") ?? "");
    });

  program
    .command("whoami")
    .description("who this profile is")
    .action(async (_flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const self = await context.call<Self>("whoami");
      context.output.result(
        self,
        () =>
          `${context.output.bold(self.user)} on ${self.server} (${self.refused ?? self.connection})\ndevice ${self.device}${directoryLine(self)}`,
      );
      // A device that is out makes no phrase.
      const hint = self.refused ? undefined : reminder(context, self.recovery);
      if (hint && !context.output.json) context.output.note(hint);
    });

  program
    .command("invite")
    .description("make an invite for somebody")
    .option("--room <room...>", "rooms that it lets into (default: general)")
    .option("--uses <n>", "how many people may use it", positive, 1)
    .option("--expires <duration>", "how long it is good: 90s, 30m, 24h, 7d or never", "7d")
    .option(
      "--reset <user>",
      "for somebody here who lost all devices and words: begins their identity anew",
    )
    .action(async (_flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const { room, uses, expires, reset } = command.opts();
      const made = await context.call<{ invite: string; link: string }>("invite", {
        ...(room ? { rooms: room } : {}),
        ...(reset === undefined ? {} : { reset }),
        uses,
        expiresInMs: parseDuration(expires),
      });
      await context.output.qr(made.link);
      context.output.result(
        made,
        () =>
          `Open this link, or give it to sotto join:\n${context.output.accent(made.link)}\n${made.invite}`,
      );
      if (reset !== undefined)
        context.output.note(
          `Whoever has it is ${reset} from then on: give it to ${reset} alone. Everybody will see the new keys. ${reset} begins without a past: what ${reset} has read so far stays sealed for good, and only what rooms tell newcomers comes back. Whoever still has a device or the 24 words should use those.`,
        );
    });
}

/** Nothing while all is well. */
function directoryLine({ directory }: Self): string {
  if (!directory || directory.state === "good") return "";
  if (directory.why) return `\n${directory.why}`;
  return "\nthe server runs on an older copy and is being handed back what it lacks; nothing is wrong with your keys";
}

/** What somebody is told whose identity began anew. */
const withoutPast =
  "Your identity began anew, and everybody sees it. What your old devices had read cannot be read any more: " +
  "its keys went with them and with the 24 words. Here is what rooms tell newcomers, and what comes.";

/** What a person is told about the phrase that they do not have. */
function reminder(context: CommandContext, recovery: Self["recovery"]): string | undefined {
  if (recovery === "none")
    return `No recovery phrase yet: without one, who loses all devices loses the account. Make one: ${context.hint("recovery")}`;
  if (recovery === "unconfirmed")
    return `Is your recovery phrase on paper? This device was not shown it yet: ${context.hint("recovery confirm")}`;
  return undefined;
}

/** Says who one is now, and where one was let in. */
export function showArrival(context: CommandContext, self: Self): void {
  const { output } = context;
  const rooms = (self.rooms ?? []).map(({ name }) => printableName(name)).join(", ");
  output.result(
    self,
    () => `You are ${output.bold(self.user)} on ${self.server}.${rooms ? ` Rooms: ${rooms}.` : ""}`,
  );
  if (self.waiting) output.note(`${self.waiting}: somebody who is in the room lets you in.`);
}

/** An invite that begins an identity anew says whose; what is no invite says nothing here. */
function nameIn(invite: string): string | undefined {
  try {
    return nameInInvite(invite);
  } catch {
    return undefined;
  }
}

async function join(
  context: CommandContext,
  invite: string | undefined,
  flags: {
    name?: string;
    link?: string | true;
    deviceName?: string;
    suite?: string;
    passphrase?: boolean;
  },
): Promise<Self> {
  const { name, link, deviceName } = flags;
  const device = deviceName === undefined ? {} : { deviceName };
  if (link !== undefined && invite === undefined) {
    const code = await readSecret(link, "the code of sotto link: ");
    await context.protect(flags.passphrase === true);
    return await context.call<Self>("joinLink", { code, ...device });
  }
  if (link === undefined && invite !== undefined && (name ?? nameIn(invite)) !== undefined) {
    const suite = suiteOf(context, flags.suite);
    await context.protect(flags.passphrase === true);
    const named = name === undefined ? {} : { name };
    return await context.call<Self>("join", { invite, ...named, ...device, ...suite });
  }
  throw new CommandError(
    ExitCode.usage,
    "USAGE",
    "say either: sotto join <invite> --name <you>, or: sotto join --link <code>",
  );
}

const suites = ["x-wing", "classical"];

function suiteOf({ config }: CommandContext, flag: string | undefined): { suite?: string } {
  const suite = flag ?? config.suite;
  if (suite === undefined) return {};
  if (suites.includes(suite)) return { suite };
  throw new CommandError(ExitCode.usage, "USAGE", `SOTTO_SUITE is one of: ${suites.join(", ")}`);
}
