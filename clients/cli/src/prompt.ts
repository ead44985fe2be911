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
