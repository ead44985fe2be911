import { pickSettings, type SettingPick } from "@sotto/settings";

const names = [
  "natsUrl",
  "natsUser",
  "natsPassword",
  "mediaUrl",
  "mediaToken",
  "edge",
  "host",
  "port",
  "data",
  "tlsKeyFile",
  "tlsCertificateFile",
  "tlsFolder",
  "proxies",
  "origins",
  "connectionsMax",
  "drainAddress",
  "drainDelayMs",
  "drainSpreadMs",
  "limits",
  "logStreams",
  "logReplicas",
  "adminHost",
  "adminPort",
  "jsonLogs",
] as const;

/** Settings of an edge as a process of its own. */
export type ProcessConfig = SettingPick<(typeof names)[number]>;

/** Throws `ConfigError`, which names every problem. */
export function readConfig(): ProcessConfig {
  return pickSettings(names, { data: "data/tcp-edge", adminPort: 9500 }).load(process.env);
}
