import { pickSettings, type SettingPick } from "@sotto/settings";

const names = [
  "natsUrl",
  "natsUser",
  "natsPassword",
  "replicaId",
  "adminHost",
  "adminPort",
  "jsonLogs",
] as const;

/** Settings of the presence service as a process of its own. */
export type PresenceConfig = SettingPick<(typeof names)[number]>;

/** Throws `ConfigError`, which names every problem. */
export function readConfig(): PresenceConfig {
  return pickSettings(names, { adminPort: 9502 }).load(process.env);
}
