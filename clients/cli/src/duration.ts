import { CommandError, ExitCode } from "./exit-code.ts";

const unitsMs: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `90s`, `30m`, `24h`, `7d` or `never` in milliseconds (never: 0). */
export function parseDuration(text: string): number {
  if (text === "never") return 0;
  const match = /^([1-9]\d{0,6})([smhd])$/.exec(text);
  const unit = unitsMs[match?.[2] ?? ""];
  if (!match || unit === undefined) {
    throw new CommandError(
      ExitCode.usage,
      "USAGE",
      `not a duration: ${text} (write 90s, 30m, 24h, 7d or never)`,
    );
  }
  return Number(match[1]) * unit;
}
