import { openSync, writeSync } from "node:fs";
import { ReadStream } from "node:tty";
import { CommandError, ExitCode } from "./exit-code.ts";

/** Longer ones are no passphrase; what is typed beyond it is dropped. */
const typedBytesMax = 1024;

const keys = { ctrlC: 0x03, ctrlD: 0x04, backspace: 0x08, ctrlU: 0x15, escape: 0x1b, del: 0x7f };

/**
 * Asks a question on the terminal itself, whatever standard input and output are, and shows nothing of what is
 * typed. The caller overwrites the bytes. `undefined` where there is no terminal.
 */
export async function askHidden(question: string): Promise<Buffer | undefined> {
  const terminal = openTerminal();
  if (!terminal) return undefined;
  const typed = new Typed();
  // Before the question: what is typed at once must not be shown either.
  terminal.setRawMode(true);
  try {
    writeSync(terminal.fd, question);
    return await new Promise<Buffer>((resolve, reject) => {
      const gone = () => reject(interrupted());
      terminal.on("data", (chunk: Buffer) => {
        const done = typed.take(chunk);
        chunk.fill(0);
        if (done === "entered") resolve(typed.bytes());
        if (done === "interrupted") gone();
      });
      terminal.once("end", gone);
      terminal.once("error", gone);
    });
  } finally {
    typed.wipe();
    terminal.setRawMode(false);
    writeSync(terminal.fd, "\n");
    terminal.destroy();
  }
}

function interrupted(): CommandError {
  return new CommandError(ExitCode.refused, "INTERRUPTED", "nothing was done");
}

/** A line as it is typed and mended. */
class Typed {
  readonly #bytes = Buffer.alloc(typedBytesMax);
  #length = 0;

  take(chunk: Uint8Array): "entered" | "interrupted" | undefined {
    for (const byte of chunk) {
      // Arrow keys and the like: nothing of them is part of a passphrase.
      if (byte === keys.escape) return undefined;
      if (byte === 0x0d || byte === 0x0a) return "entered";
      if (byte === keys.ctrlC || (byte === keys.ctrlD && this.#length === 0)) return "interrupted";
      if (byte === keys.ctrlU) this.#length = 0;
      else if (byte === keys.backspace || byte === keys.del)
        this.#length = withoutLast(this.#bytes, this.#length);
      else if (byte >= 0x20 && this.#length < typedBytesMax) this.#bytes[this.#length++] = byte;
    }
    return undefined;
  }

  bytes(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }

  wipe(): void {
    this.#bytes.fill(0);
  }
}

/** The length without the last character, of which UTF-8 may have made several bytes. */
function withoutLast(typed: Buffer, length: number): number {
  let end = length;
  while (end > 0 && ((typed[end - 1] ?? 0) & 0xc0) === 0x80) end--;
  return Math.max(0, end - 1);
}

function openTerminal(): (ReadStream & { readonly fd: number }) | undefined {
  try {
    const fd = openSync("/dev/tty", "r+");
    return Object.assign(new ReadStream(fd), { fd });
  } catch {
    return undefined;
  }
}
