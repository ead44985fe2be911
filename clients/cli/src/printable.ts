/**
 * Text of others, without what could command a terminal: control and format characters, colours too. Lines and tabs
 * stay.
 */
export function printable(text: unknown): string {
  return String(text).replace(/[\p{Cc}\p{Cf}]/gu, (character) =>
    character === "\n" || character === "\t" ? character : "�",
  );
}

/** A name that others chose: as `printable`, and on one line, so that it cannot look like another line of ours. */
export function printableName(name: unknown): string {
  return printable(name).replace(/[\n\t\p{Zl}\p{Zp}]/gu, "�");
}

/** How every line but the first of a text begins. */
const continued = "    | ";

/**
 * Text of others that may have several lines: as `printable`, with each line but the first marked, so that none looks
 * like another entry.
 */
export function printableText(text: unknown): string {
  return printable(text).replace(/[\n\p{Zl}\p{Zp}]/gu, `\n${continued}`);
}

const begins = "\u001b";
/** Bold, dim, cyan, and the ends of these: what `Output` colours with. */
const ownCodes = new RegExp(`(${begins}\\[(?:1|2|22|36|39)m)`);

/** A text of ours that may hold text of others: colours as ours stay, the rest is as `printable` makes it. */
export function printableColoured(text: string): string {
  return text
    .split(ownCodes)
    .map((part, i) => (i % 2 === 1 ? part : printable(part)))
    .join("");
}

/** The same JSON, in which nothing commands a terminal: such characters are written as escapes. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(/[\p{Cc}\p{Cf}]/gu, (characters) =>
    Array.from(
      { length: characters.length },
      (_, i) => `\\u${characters.charCodeAt(i).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
}
