/** The fixed parts of a log line; everything else in it is a field. */
interface ParsedLine {
  readonly time: string;
  readonly level: string;
  readonly service: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

const colourOfLevel: Readonly<Record<string, string>> = {
  debug: "\u001b[2m",
  info: "\u001b[32m",
  warn: "\u001b[33m",
  error: "\u001b[31m",
  fatal: "\u001b[1;31m",
};
const plain = "\u001b[0m";

/** A JSON log line as a person reads it: time of day, level, service, message, fields. */
export function humanLine(jsonLine: string, colour: boolean): string {
  const { time, level, service, message, ...fields } = JSON.parse(jsonLine) as ParsedLine;
  const label = level.toUpperCase().padEnd(5);
  const shownLevel = colour ? `${colourOfLevel[level] ?? ""}${label}${plain}` : label;
  const stacks: string[] = [];
  const parts = Object.entries(fields).map(([name, value]) => `${name}=${shown(value, stacks)}`);
  const line = [time.slice(11, 23), shownLevel, service.padEnd(9), message, ...parts].join(" ");
  return [line, ...stacks].join("\n");
}

/** An error is shown as its message on the line, and its stack below it. */
function shown(value: unknown, stacks: string[]): string {
  if (typeof value === "string") return /[\s"=]/.test(value) ? JSON.stringify(value) : value;
  if (typeof value === "object" && value !== null && "stack" in value && "message" in value) {
    stacks.push(`    ${String(value.stack).replaceAll("\n", "\n    ")}`);
    return JSON.stringify(value.message);
  }
  return JSON.stringify(value);
}
