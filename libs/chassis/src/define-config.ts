import { readFileSync } from "node:fs";
import { type Static, type TObject, type TProperties, type TSchema, Type } from "typebox";
import { Value } from "typebox/value";
import { readConfigFile } from "./config-file.ts";
import { settingFromText } from "./setting-text.ts";
import { StartError } from "./start-error.ts";

/** Everything that is wrong with a configuration, a line each, by the variables' names. */
export class ConfigError extends StartError {
  override readonly name = "ConfigError";
  override readonly code = "BAD_CONFIG";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(["The configuration is wrong:", ...problems.map((line) => `  ${line}`)].join("\n"));
    this.problems = problems;
  }
}

/** Environment variables by name, as in `process.env`. An empty value counts as absent. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The variable that carries each property. */
export type VariableNames<Properties extends TProperties> = {
  readonly [Name in keyof Properties]: string;
};

export interface ConfigDefinition<Properties extends TProperties> {
  /**
   * The configuration from `env`, then from the JSON file at `file` (an object of the same
   * variable names), then from the schema's defaults. Throws one `ConfigError` that names every
   * problem. Values are never shown, for some are secret.
   */
  load(env: Environment, file?: string): Static<TObject<Properties>>;
}

export interface DefineConfigOptions {
  /** Names that a file may hold: also those of other programs that read it. Default: the program's own. */
  readonly known?: readonly string[];
  /** Problems of values that are right one by one. */
  readonly check?: (settings: Readonly<Record<string, unknown>>) => readonly string[];
}

/**
 * Says which settings a program has: a flat schema of strings, integers, numbers, booleans and
 * lists of strings (comma-separated), and the variable that carries each. One whose schema says
 * `secret` may stand in a file, which the variable with `_FILE` behind it names. Only a program's
 * `config.ts` hands in `process.env`.
 */
export function defineConfig<Properties extends TProperties>(
  schema: TObject<Properties>,
  variables: VariableNames<Properties>,
  { known = Object.values<string>(variables), check = () => [] }: DefineConfigOptions = {},
): ConfigDefinition<Properties> {
  const properties = Object.entries<TSchema>(schema.properties);
  const variableOf: Readonly<Record<string, string>> = variables;
  return {
    load(env, file) {
      const problems: string[] = [];
      const stored = file === undefined ? {} : readConfigFile(file, known, problems);
      const settings: Record<string, unknown> = {};
      for (const [property, wanted] of properties) {
        const variable = variableOf[property] ?? property;
        const text = env[variable] || secretOf(wanted, variable, env, problems) || stored[variable];
        const value = text ? settingFromText(wanted, text) : defaultOf(wanted);
        if (value !== undefined) settings[property] = value;
        const problem = problemOf(wanted, value);
        if (problem) problems.push(`${variable} ${problem}`);
      }
      problems.push(...check(settings));
      if (problems.length > 0) throw new ConfigError(problems);
      return settings as Static<TObject<Properties>>;
    },
  };
}

/** The content of the file that `<variable>_FILE` names. */
function secretOf(
  schema: TSchema,
  variable: string,
  env: Environment,
  problems: string[],
): string | undefined {
  const path = env[`${variable}_FILE`];
  if (!path || !("secret" in schema)) return undefined;
  try {
    return readFileSync(path, "utf8").trimEnd();
  } catch {
    problems.push(`${variable}_FILE: ${path} cannot be read`);
    return undefined;
  }
}

function defaultOf(schema: TSchema): unknown {
  return "default" in schema ? schema.default : undefined;
}

function problemOf(schema: TSchema, value: unknown): string | undefined {
  if (value === undefined) {
    if (Type.IsOptional(schema)) return undefined;
    return "description" in schema ? `is missing: ${String(schema.description)}` : "is missing";
  }
  const errors = Value.Errors(schema, value);
  return errors.length > 0 ? errors.map((error) => error.message).join(", and ") : undefined;
}
