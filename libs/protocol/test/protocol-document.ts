import { readdirSync, readFileSync } from "node:fs";

const root = new URL("../../../", import.meta.url);
const protoFolder = new URL("libs/protocol/proto/sotto/v1/", root);

/** PROTOCOL.md. */
export const text: string = readFileSync(new URL("PROTOCOL.md", root), "utf8");

/** Names of the vector files. */
export const vectorFiles: readonly string[] = readdirSync(new URL("libs/protocol/vectors", root));

/** Definitions of messages and enums by name, without comments and layout; a name twice throws. */
export function definitionsIn(source: string): Map<string, string> {
  const found = new Map<string, string>();
  const bare = source.replaceAll(/\/\/[^\n]*/g, "");
  for (const match of bare.matchAll(/^(?:message|enum) (\w+) \{/gm)) {
    const [, name = ""] = match;
    if (found.has(name)) throw new Error(`${name} is defined twice`);
    found.set(name, wholeDefinition(bare, match.index).replaceAll(/\s+/g, " "));
  }
  return found;
}

/** The definition that begins at `start`, up to the brace that closes it. */
function wholeDefinition(source: string, start: number): string {
  let depth = 0;
  for (let at = source.indexOf("{", start); at < source.length; at++) {
    if (source[at] === "{") depth++;
    if (source[at] === "}") depth--;
    if (depth === 0) return source.slice(start, at + 1);
  }
  throw new Error("a definition does not end");
}

/** What stands in the document's Protobuf blocks. */
export function documentedProtobuf(): string {
  return [...text.matchAll(/^```proto\n(.*?)^```/gms)].map(([, block]) => block).join("\n");
}

/** The Protobuf files. */
export function protobufFiles(): string {
  return readdirSync(protoFolder)
    .map((name) => readFileSync(new URL(name, protoFolder), "utf8"))
    .join("\n");
}

/** The rows of the table whose header is this line, cell by cell. */
export function tableRows(header: string): string[][] {
  const lines = text.split("\n");
  const start = lines.indexOf(header);
  if (start < 0) throw new Error(`there is no table ${header}`);
  const rows = lines.slice(start + 2);
  const end = rows.findIndex((line) => !line.startsWith("|"));
  return rows.slice(0, end).map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim().replaceAll("`", "")),
  );
}
