import { createInterface } from "node:readline/promises";

/** A text that somebody pipes in is not longer than this. */
const inputBytesMax = 64 * 1024;

/** Asks a person; the question goes to standard error, so that standard output holds results only. */
export async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await lines.question(question);
  } finally {
    lines.close();
  }
}

/** What standard input holds, or what a person answers to the question where it is a terminal. */
export async function readOrAsk(question: string): Promise<string> {
  if (process.stdin.isTTY) return await ask(question);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > inputBytesMax) break;
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** What `--help` says of a flag that takes a secret. */
export const secretFlag =
  "; - reads it from standard input: others on this machine see command lines, and shells keep them";

/** A secret that a flag may hold: asked for where there is none or nothing after it, from standard input with `-`. */
export async function readSecret(given: string | boolean | undefined, question: string) {
  const isSaid = typeof given === "string" && given !== "" && given !== "-";
  return isSaid ? given : (await readOrAsk(question)).trim();
}
