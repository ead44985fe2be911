import { Command, CommanderError } from "commander";
import { registerAudit } from "./commands/audit.ts";
import { registerDevices } from "./commands/devices.ts";
import { registerMedia } from "./commands/media.ts";
import { registerPassphrase } from "./commands/passphrase.ts";
import { registerPeople } from "./commands/people.ts";
import { registerRecovery } from "./commands/recovery.ts";
import { registerRooms } from "./commands/rooms.ts";
import { registerTalk } from "./commands/talk.ts";
import { registerVerify } from "./commands/verify.ts";
import { registerWatch } from "./commands/watch.ts";
import { CommandError, ExitCode } from "./exit-code.ts";
import { printable } from "./printable.ts";

const version = "0.1.0";
const passphraseHelp = "the passphrase, where the profile has one (or SOTTO_PASSPHRASE)";

function build(): Command {
  const program = new Command("sotto")
    .description("Talk, share and watch with your team; the server reads nothing of it.")
    .version(version)
    .option("--home <dir>", "folder of the profile (or SOTTO_HOME; default ~/.sotto)")
    .option("--json", "one JSON object a line on standard output")
    .option("--passphrase-file <file>", passphraseHelp)
    .showHelpAfterError("(sotto --help shows all commands)")
    .exitOverride()
    .addHelpText(
      "after",
      "\nExit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 server not reachable.",
    );
  for (const register of [
    registerPeople,
    registerDevices,
    registerRecovery,
    registerVerify,
    registerAudit,
    registerRooms,
    registerTalk,
    registerMedia,
    registerWatch,
    registerPassphrase,
  ])
    register(program);
  for (const command of program.commands) inherit(command);
  return program;
}

/** The flags of the program may stand after the command as well. */
function inherit(command: Command): void {
  command
    .option("--home <dir>", "folder of the profile (or SOTTO_HOME)")
    .option("--json", "one JSON object a line on standard output")
    .option("--passphrase-file <file>", passphraseHelp)
    .exitOverride();
  for (const child of command.commands) inherit(child);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? ExitCode.done : ExitCode.usage;
  }
  if (error instanceof CommandError) {
    process.stderr.write(`sotto: ${printable(error.message)} (${error.code})\n`);
    return error.exitCode;
  }
  const message = error instanceof Error ? error.message : error;
  process.stderr.write(`sotto: ${printable(message)}\n`);
  return ExitCode.refused;
}

// A reader that goes away (`sotto listen | head -1`) ends the command quietly.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? ExitCode.done : ExitCode.refused);
});

try {
  await build().parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error);
}
