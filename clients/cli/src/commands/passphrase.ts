import type { Command } from "commander";
import { CommandContext } from "../command.ts";
import { CommandError, ExitCode } from "../exit-code.ts";

interface LockState {
  readonly passphrase: boolean;
  readonly locked: boolean;
}

export function registerPassphrase(program: Command): void {
  program
    .command("unlock")
    .description("open a profile that has a passphrase, until it is locked or unused for a while")
    .action(async (_flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const { locked } = await context.call<LockState>("lockState");
      if (locked) await context.unlock();
      const state = await context.call<LockState>("lockState");
      context.output.result(state, () =>
        state.passphrase ? "The profile is open." : "The profile has no passphrase.",
      );
    });

  program
    .command("lock")
    .description("forget the passphrase of this profile; commands that run on it end")
    .action(async (_flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      context.output.result(await context.call<LockState>("lock"), () => "The profile is locked.");
    });

  const passphrase = program
    .command("passphrase")
    .description("protect this profile with a passphrase");

  passphrase
    .command("set")
    .description("ask for a passphrase from now on")
    .action(async (_flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      if ((await context.call<LockState>("lockState")).passphrase) {
        throw new CommandError(
          ExitCode.refused,
          "PASSPHRASE_EXISTS",
          `this profile has a passphrase already: ${context.hint("passphrase change")}`,
        );
      }
      // Says so where nobody has joined, before it asks for anything.
      await context.call("whoami");
      using first = await context.passphrases.first();
      const state = await context.call<LockState>("passphraseSet", { passphrase: first.encoded() });
      context.output.result(state, () => "The passphrase is set.");
      context.output.note(
        "Nobody can open this profile without it: keep it where you find it again.",
      );
    });

  passphrase
    .command("change")
    .description("replace the passphrase")
    .option("--new-passphrase-file <file>", "the new passphrase (or SOTTO_NEW_PASSPHRASE)")
    .action(async (_flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      await mustHave(context);
      using current = await context.passphrases.current();
      using next = await context.passphrases.next();
      const state = await context.call<LockState>("passphraseChange", {
        passphrase: current.encoded(),
        next: next.encoded(),
      });
      context.output.result(state, () => "The passphrase is changed.");
    });

  passphrase
    .command("remove")
    .description("ask for no passphrase any more")
    .action(async (_flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      await mustHave(context);
      using current = await context.passphrases.current();
      const state = await context.call<LockState>("passphraseRemove", {
        passphrase: current.encoded(),
      });
      context.output.result(state, () => "The profile opens without a passphrase.");
    });
}

async function mustHave(context: CommandContext): Promise<void> {
  if ((await context.call<LockState>("lockState")).passphrase) return;
  throw new CommandError(ExitCode.refused, "NO_PASSPHRASE", "this profile has no passphrase");
}
