/** A bar on standard error, drawn only where a person looks. */
export class Progress {
  readonly #label: string;
  readonly #visible: boolean;
  #drawnAt = 0;

  constructor(label: string, visible: boolean) {
    this.#label = label;
    this.#visible = visible;
  }

  update(done: number, total: number): void {
    const now = performance.now();
    if (!this.#visible || (done < total && now - this.#drawnAt < 80)) return;
    this.#drawnAt = now;
    const part = total === 0 ? 1 : done / total;
    const width = 28;
    const filled = Math.round(part * width);
    const bar = "█".repeat(filled) + "░".repeat(width - filled);
    process.stderr.write(
      `\r${this.#label} ${bar} ${String(Math.floor(part * 100)).padStart(3)} %  ${bytesText(done)} of ${bytesText(total)} `,
    );
  }

  end(): void {
    if (this.#visible && this.#drawnAt > 0) process.stderr.write("\n");
  }
}

/** A size as people read it. */
export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}
