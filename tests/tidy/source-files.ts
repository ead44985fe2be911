import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "..", "..");

/** Every file that git knows or would know. */
export function projectFiles(): string[] {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
  });
  return listed
    .toString("utf8")
    .split("\n")
    .filter((path) => path !== "" && existsSync(join(root, path)));
}

export function textOf(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** A file's text without its comments. */
export function codeOf(path: string): string {
  return textOf(path).replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*/g, "");
}

/** TypeScript that people wrote. */
export function sourceFiles(): string[] {
  return projectFiles().filter(
    (path) => path.endsWith(".ts") && !path.includes("/gen/") && !path.endsWith(".d.ts"),
  );
}

export function isTest(path: string): boolean {
  return (
    /\.test\.ts$|\/test\/|^tests\/|\/conformance|\/bench\/|\.config\.ts$/.test(path) ||
    path.startsWith("libs/testkit/")
  );
}

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** Path in the project for relative ones, else undefined. */
  readonly file: string | undefined;
}

/** What a file imports, statically or dynamically. */
export function importsOf(path: string): Import[] {
  const text = textOf(path);
  const found = text.matchAll(/(?:from\s+|import\s*\(\s*|^import\s+)"([^"]+)"/gm);
  return [...found].map(([, specifier = ""]) => ({
    specifier,
    file: specifier.startsWith(".")
      ? relative(root, join(root, dirname(path), specifier))
      : undefined,
  }));
}
