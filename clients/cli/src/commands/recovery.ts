import { randomInt } from "node:crypto";
import type { Command } from "commander";
import { CommandContext } from "../command.ts";
import { CommandError, ExitCode } from "../exit-code.ts";
import { ask, readOrAsk, readSecret, secretFlag } from "../prompt.ts";
import { type Self, showArrival } from "./people.ts";

const wordsAsked = 3;

export function registerRecovery(program: Command): void {
  const recovery = program
    .command("recovery")
    .description(
      "make a recovery phrase: 24 words for paper that bring you back without any device",
    )
    .option(
      "--replace",
      "in place of an earlier phrase, which you are asked for, and of all after it",
    )
    .action(async (_flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const replacing = command.opts()["replace"]
        ? { replacing: await phraseToReplace(context) }
        : {};
      const made = await context.call<{ phrase: string }>("recovery", replacing);
      context.output.result(made, () => onPaper(made.phrase));
      if (!context.output.json && process.stdin.isTTY) await askForWords(context, made.phrase);
      else context.output.note(`Written down? Say so with: ${context.hint("recovery confirm")}`);
    });

  recovery
    .command("confirm")
    .description("show that you have written the phrase down")
    .argument("[words...]", `the 24 words (default: asked for)${secretFlag}`)
    .option("--phrase <words>", `the 24 words, as one text${secretFlag}`)
    .action(async (words: string[], _flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const given: string = command.opts()["phrase"] ?? words.join(" ");
      const phrase = await readSecret(given, "the 24 words: ");
      const state = await context.call<{ recovery: string }>("confirmRecovery", { phrase });
      context.output.result(
        state,
        () => "The words are right. Keep them where nobody else reads them.",
      );
    });

  program
    .command("recover")
    .description("come back with your recovery phrase, on a new machine")
    .requiredOption("--server <server>", "host:port, or any invite or link of the server")
    .option("--phrase <words>", `the 24 words (default: asked for)${secretFlag}`)
    .option("--device-name <name>", "how this device is listed (default: the machine's name)")
    .option("--passphrase", "protect the profile with a passphrase")
    .option("--keep-devices", "your devices of before are not lost: leave them as they are")
    .action(async (_flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const { server, phrase, deviceName, keepDevices, passphrase } = command.opts();
      await context.protect(passphrase === true);
      const self = await context.call<Self & { readonly revoked: number }>("recover", {
        server,
        phrase: await readSecret(phrase, "the 24 words: "),
        ...(deviceName === undefined ? {} : { deviceName }),
        keepDevices: keepDevices === true,
      });
      showArrival(context, self);
      if (self.revoked > 0)
        context.output.note(`${self.revoked} device(s) of before were revoked.`);
    });
}

/** The words of the earlier phrase. Rejects with BAD_PHRASE where there are none. */
async function phraseToReplace(context: CommandContext): Promise<string> {
  const words = (await readOrAsk("the 24 words of the phrase to replace: ")).trim();
  if (words !== "") return words;
  throw new CommandError(
    ExitCode.refused,
    "BAD_PHRASE",
    `nothing was replaced: --replace needs the 24 words of the earlier phrase. Without them it stays good, and ${context.hint("recovery")} makes one more beside it`,
  );
}

/** The words as one writes them down: numbered, four in a line. */
function onPaper(phrase: string): string {
  const words = phrase
    .split(" ")
    .map((word, i) => `${String(i + 1).padStart(2)}. ${word.padEnd(10)}`);
  const lines = words.flatMap((_, i) => (i % 4 === 0 ? [words.slice(i, i + 4).join(" ")] : []));
  return [
    "Write these words on paper, in this order. They are shown this once and kept nowhere.",
    "Whoever has them is you: they bring your account and history back on any machine.",
    "",
    ...lines,
  ].join("\n");
}

/** Asks for some of the words, until they are right; leaving it leaves the phrase unconfirmed. */
async function askForWords(context: CommandContext, phrase: string): Promise<void> {
  const words = phrase.split(" ");
  const places = new Set<number>();
  while (places.size < wordsAsked) places.add(randomInt(words.length));
  for (const place of [...places].sort((a, b) => a - b)) {
    while ((await ask(`word ${place + 1}? `)).trim().toLowerCase() !== words[place])
      context.output.note("That is another word; look at your paper. Ctrl-C leaves it for later.");
  }
  await context.call("confirmRecovery");
  context.output.note("Good. Keep them where nobody else reads them.");
}
