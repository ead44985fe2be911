import { styleText } from "node:util";
import qrcode from "qrcode";
import { printable, printableColoured, printableJson } from "./printable.ts";

/** Where a command's results go: JSON for scripts, or lines for people. */
export class Output {
  readonly json: boolean;
  readonly #colour: boolean;

  constructor(options: { json: boolean; colour: boolean }) {
    this.json = options.json;
    this.#colour = options.colour;
  }

  /** A result: one JSON object a line, or what `human` makes of it. Neither commands a terminal. */
  result(value: unknown, human: () => string): void {
    process.stdout.write(`${this.json ? printableJson(value) : this.#shown(human())}\n`);
  }

  /** For people only, on standard error. */
  note(text: string): void {
    process.stderr.write(`${this.#shown(text)}\n`);
  }

  /** A text as a QR code to scan, only where a person looks. It is drawn here, so its colour codes stay as they are. */
  async qr(text: string): Promise<void> {
    if (this.json || process.stdout.isTTY !== true) return;
    const drawn = await qrcode.toString(text, { type: "terminal", small: true });
    process.stdout.write(`${drawn.trimEnd()}\n`);
  }

  #shown(text: string): string {
    return this.#colour ? printableColoured(text) : printable(text);
  }

  bold(text: string): string {
    return this.#colour ? styleText("bold", text) : text;
  }

  dim(text: string): string {
    return this.#colour ? styleText("dim", text) : text;
  }

  accent(text: string): string {
    return this.#colour ? styleText("cyan", text) : text;
  }
}
