import type { SettingPick } from "./pick-settings.ts";

/** Where NATS is and as whom to come, for the adapters of bus and log. */
export function natsOf({
  natsUrl,
  natsUser,
  natsPassword,
}: SettingPick<"natsUrl" | "natsUser" | "natsPassword">): {
  readonly servers: string;
  readonly user?: string;
  readonly password?: string;
} {
  return {
    servers: natsUrl,
    ...(natsUser && natsPassword ? { user: natsUser, password: natsPassword } : {}),
  };
}
