/** Rows as aligned columns under a heading, for people. */
export function table(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  terminal: boolean,
): string {
  const all = [heading, ...rows];
  const widths = heading.map((_, column) =>
    Math.max(...all.map((row) => (row[column] ?? "").length)),
  );
  const lines = all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  if (terminal) lines[0] = `\u001b[2m${lines[0]}\u001b[0m`;
  return `${lines.join("\n")}\n`;
}

/** Wall time, ms, as a date and a time of day (UTC). */
export function when(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}
