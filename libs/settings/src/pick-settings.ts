import { type ConfigDefinition, defineConfig, type Environment } from "@sotto/chassis";
import { type Static, type TObject, Type } from "typebox";
import { together } from "./check-together.ts";
import { fileVariable, type Settings, settings, variables } from "./settings.ts";

export type SettingName = keyof Settings;

/** What a program gets that takes the settings `Name`. */
export type SettingPick<Name extends SettingName> = Static<TObject<Pick<Settings, Name>>>;

/** Defaults of a program where they are not everybody's. */
export type SettingDefaults<Name extends SettingName> = Partial<SettingPick<Name>>;

/**
 * The settings of one program, out of the one schema. `load` reads the environment, then the JSON file that
 * `SOTTO_CONFIG` (or its second argument) names, then defaults, and throws one `ConfigError` with every problem.
 */
export function pickSettings<Name extends SettingName>(
  names: readonly Name[],
  defaults: SettingDefaults<Name> = {},
): ConfigDefinition<Pick<Settings, Name>> {
  const given: Partial<Record<SettingName, unknown>> = defaults;
  const schema = Type.Object(
    Object.fromEntries(
      names.map((name) => [
        name,
        name in given ? { ...settings[name], default: given[name] } : settings[name],
      ]),
    ) as unknown as Pick<Settings, Name>,
  );
  const picked = Object.fromEntries(names.map((name) => [name, variables[name]])) as {
    readonly [Key in Name]: string;
  };
  const definition = defineConfig(schema, picked, {
    known: Object.values(variables),
    check: (values) => together(values),
  });
  return {
    load: (env: Environment, file?: string) =>
      definition.load(env, file ?? (env[fileVariable] || undefined)),
  };
}
