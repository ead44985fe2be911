import { readFileSync } from "node:fs";

/**
 * The settings of a JSON file: one object of variable names and plain values, as text. What is
 * wrong with the file goes into `problems`.
 */
export function readConfigFile(
  path: string,
  variables: readonly string[],
  problems: string[],
): Readonly<Record<string, string>> {
  const settings: Record<string, string> = {};
  for (const [name, value] of Object.entries(parse(path, problems))) {
    if (!variables.includes(name)) problems.push(`${name} in ${path} is not a setting`);
    else if (Array.isArray(value)) settings[name] = value.join(",");
    else settings[name] = String(value);
  }
  return settings;
}

function parse(path: string, problems: string[]): object {
  try {
    const content: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof content === "object" && content !== null && !Array.isArray(content)) return content;
    problems.push(`${path} must hold one JSON object`);
  } catch (error) {
    const reason = error instanceof SyntaxError ? "is not JSON" : "cannot be read";
    problems.push(`${path} ${reason}`);
  }
  return {};
}
