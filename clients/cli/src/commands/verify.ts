import { type Command, InvalidArgumentError } from "commander";
import { CommandContext } from "../command.ts";

interface Keys {
  readonly user: string;
  readonly chain: readonly string[];
  readonly devices: readonly {
    readonly device: string;
    readonly name: string;
    readonly kind: "device" | "recovery";
    readonly revoked: boolean;
  }[];
  readonly safetyNumber?: string;
  readonly verified: boolean;
  readonly identityChanged?: boolean;
}

type Compared = Pick<Keys, "user" | "safetyNumber" | "verified" | "identityChanged">;

export function registerVerify(program: Command): void {
  program
    .command("keys")
    .description("a person's identity chain, devices and safety number")
    .argument("<user>")
    .action(async (user: string, _flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const keys = await context.call<Keys>("keys", { user });
      context.output.result(keys, () =>
        [
          `${context.output.bold(keys.user)}: ${keys.chain.length} signed record(s), last ${keys.chain.at(-1)?.slice(0, 16)}…`,
          "devices:",
          ...keys.devices.map(deviceLine),
          ...(keys.safetyNumber
            ? [
                `safety number, the same on both sides (${state(keys)}):`,
                ...groups(keys.safetyNumber),
              ]
            : []),
        ].join("\n"),
      );
    });

  program
    .command("verify")
    .description("compare with somebody that nobody stands between you")
    .argument("<user>")
    .option("--number <digits>", "the 60 digits that they see: compared, and remembered", digits)
    .action(async (user: string, _flags, command: Command) => {
      const context = new CommandContext(command.optsWithGlobals());
      const number: string | undefined = command.opts()["number"];
      const compared = await context.call<Compared>("verify", {
        user,
        ...(number === undefined ? {} : { number }),
      });
      const { safetyNumber } = compared;
      if (safetyNumber !== undefined && number === undefined) await context.output.qr(safetyNumber);
      context.output.result(compared, () =>
        number === undefined
          ? [
              ...(safetyNumber === undefined
                ? ["That is you: a safety number is for two people."]
                : [
                    `Both of you must see the same: here, and at ${compared.user}'s with sotto verify <you>.`,
                    ...groups(safetyNumber),
                    compared.verified
                      ? "verified: you have compared it"
                      : `${state(compared)}; ${context.hint(`verify ${compared.user}`)} --number <what they see> compares and remembers`,
                  ]),
            ].join("\n")
          : `The same. ${compared.user} is ${state(compared)}.`,
      );
    });
}

/** Twelve groups of five, three lines of four: how people read digits to each other. */
function groups(number: string): string[] {
  const all = number.match(/\d{5}/g) ?? [];
  return [0, 4, 8].map((at) => `  ${all.slice(at, at + 4).join(" ")}`);
}

function state({ verified, identityChanged }: Pick<Keys, "verified" | "identityChanged">): string {
  if (verified) return "verified";
  return identityChanged
    ? "was verified, and is not any more: the identity began anew"
    : "not verified";
}

function deviceLine({ device, name, kind, revoked }: Keys["devices"][number]): string {
  return `  ${device}  ${kind === "recovery" ? "recovery phrase" : name}${revoked ? "  revoked" : ""}`;
}

/** A safety number as people write it: groups apart or not. */
function digits(text: string): string {
  const number = text.replace(/\s/g, "");
  if (!/^\d{60}$/.test(number)) throw new InvalidArgumentError("a safety number has 60 digits");
  return number;
}
