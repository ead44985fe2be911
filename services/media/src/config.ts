import { pickSettings, type SettingPick } from "@sotto/settings";

const names = [
  "natsUrl",
  "natsUser",
  "natsPassword",
  "blobsFolder",
  "mediaLinkHost",
  "mediaLinkPort",
  "mediaToken",
  "adminHost",
  "adminPort",
  "jsonLogs",
] as const;

/** Settings of the media service as a process of its own. */
export type MediaConfig = SettingPick<(typeof names)[number]>;

/** Throws `ConfigError`, which names every problem. */
export function readConfig(): MediaConfig {
  return pickSettings(names, { adminPort: 9503 }).load(process.env);
}
