import { readFileSync } from "node:fs";

/** What every vector says of itself. */
export interface Vector {
  readonly name: string;
  /** The one thing that it tests. */
  readonly tests: string;
}

/** A vector with its title for a test. */
export type Titled<Entry> = Entry & { readonly title: string };

/** A file of `vectors/`, as it stands. */
export function readVectorFile<File>(name: string): File {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), "utf8")) as File;
}

/** The vectors of a file, each with a title. */
export function readVectors<Entry extends Vector>(name: string): Titled<Entry>[] {
  const { vectors } = readVectorFile<{ readonly vectors: readonly Entry[] }>(name);
  return vectors.map((vector) => ({ ...vector, title: `${vector.name}: ${vector.tests}` }));
}
