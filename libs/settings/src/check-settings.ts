import { accessSync, constants } from "node:fs";
import { ConfigError, type Environment } from "@sotto/chassis";
import { Type } from "typebox";
import { pickSettings, type SettingName } from "./pick-settings.ts";
import { fileVariable, settings, variables } from "./settings.ts";

/** One setting as it stands. */
export interface SettingReport {
  readonly variable: string;
  readonly description: string;
  /** As text; what is secret is told as `(hidden)`; undefined where it is not set. */
  readonly value: string | undefined;
  readonly from: "environment" | "file" | "default" | "unset";
}

export interface SettingsReport {
  readonly settings: readonly SettingReport[];
  /** A line each; empty where all is well. */
  readonly problems: readonly string[];
}

const names = Object.keys(variables) as SettingName[];
/** What some program needs and another does not: told by that program's own start. */
const needed = names.filter(
  (name) => !("default" in settings[name]) && !Type.IsOptional(settings[name]),
);

/**
 * Judges everything that is set, for whatever program: values, names that nothing reads, files that cannot be read.
 * What one program needs and another does not is not a problem here.
 */
export function checkSettings(env: Environment, file?: string): SettingsReport {
  const problems: string[] = [];
  const path = file ?? (env[fileVariable] || undefined);
  const loaded = load(env, path, (found) => problems.push(...found));
  problems.push(...unknownNames(env), ...unreadable(env));
  const fromFile = new Set(path === undefined ? [] : namesIn(path, env));
  const report = names.map((name): SettingReport => {
    const variable = variables[name];
    const given = env[variable] || env[`${variable}_FILE`];
    const value = given ?? (loaded[name] === undefined ? undefined : String(loaded[name]));
    const from = given
      ? "environment"
      : fromFile.has(variable)
        ? "file"
        : "default" in settings[name]
          ? "default"
          : "unset";
    const shown = value !== undefined && "secret" in settings[name] ? "(hidden)" : value;
    return { variable, description: descriptionOf(name), value: shown, from };
  });
  return { settings: report, problems };
}

/** What a setting is for, in the words of `.env.example`. */
export function descriptionOf(name: SettingName): string {
  const schema: object = settings[name];
  return "description" in schema ? String(schema.description) : "";
}

/** Everything that is set and right; what some program needs and nobody gave is left out. */
function load(
  env: Environment,
  file: string | undefined,
  wrong: (problems: readonly string[]) => void,
): Partial<Record<SettingName, unknown>> {
  const missing = new Set(
    problemsOf(names, env, file).flatMap((problem) =>
      needed.filter((name) => problem.startsWith(`${variables[name]} is missing: `)),
    ),
  );
  const given = names.filter((name) => !missing.has(name));
  const problems = problemsOf(given, env, file);
  wrong(problems);
  return problems.length > 0 ? {} : pickSettings(given).load(env, file);
}

function problemsOf(
  picked: readonly SettingName[],
  env: Environment,
  file: string | undefined,
): readonly string[] {
  try {
    pickSettings(picked).load(env, file);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems;
  }
}

/** A misspelt name is silently without effect: told here. */
function unknownNames(env: Environment): string[] {
  const known = new Set<string>([fileVariable, ...clientVariables]);
  for (const variable of Object.values(variables)) known.add(variable).add(`${variable}_FILE`);
  return Object.keys(env)
    .filter((name) => name.startsWith("SOTTO_") && !known.has(name))
    .map((name) => `${name} is not a setting${nearest(name, known)}`);
}

/** Read by the command line client, not by servers. */
const clientVariables = ["SOTTO_HOME"];

function nearest(name: string, known: ReadonlySet<string>): string {
  const close = [...known].find((other) => distance(name, other) <= 2);
  return close === undefined ? "" : `; did you mean ${close}?`;
}

/** Levenshtein distance. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}

function unreadable(env: Environment): string[] {
  return [variables.tlsKeyFile, variables.tlsCertificateFile].flatMap((variable) => {
    const path = env[variable];
    return !path || isReadable(path) ? [] : [`${variable}: ${path} cannot be read`];
  });
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function namesIn(path: string, env: Environment): string[] {
  const withoutFile = load({ ...env, [fileVariable]: undefined }, undefined, () => {});
  const withFile = load(env, path, () => {});
  return names
    .filter((name) => String(withFile[name]) !== String(withoutFile[name]))
    .map((name) => variables[name]);
}
