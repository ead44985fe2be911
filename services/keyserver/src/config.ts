import { pickSettings, type SettingPick } from "@sotto/settings";

const names = [
  "natsUrl",
  "natsUser",
  "natsPassword",
  "redisUrl",
  "redisUser",
  "redisPassword",
  "redisReplicas",
  "identityFolder",
  "domain",
  "bind",
  "port",
  "address",
  "adminSocket",
  "logStreams",
  "logReplicas",
  "adminHost",
  "adminPort",
  "jsonLogs",
] as const;

/** Settings of the keyserver as a process of its own. */
export type KeyserverConfig = SettingPick<(typeof names)[number]>;

/** Throws `ConfigError`, which names every problem. */
export function readConfig(): KeyserverConfig {
  // Port 0: none is set, so that a domain decides.
  return pickSettings(names, {
    identityFolder: "data/keyserver",
    adminPort: 9501,
    port: 0,
  }).load(process.env);
}
