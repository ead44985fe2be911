import { limits } from "@sotto/protocol";

export type LimitName = keyof typeof limits;

/** `name=number` each, with a name of PROTOCOL.md. Names that are none are left out: `wrongLimits` tells them. */
export function parseLimits(settings: readonly string[]): Partial<Record<LimitName, number>> {
  return Object.fromEntries(
    settings.flatMap((setting) => {
      const [name = "", value = ""] = setting.split("=");
      return name in limits && /^\d{1,15}$/.test(value) ? [[name, Number(value)]] : [];
    }),
  );
}

/** Those that `parseLimits` cannot read. */
export function wrongLimits(settings: readonly string[]): string[] {
  return settings.filter((setting) => Object.keys(parseLimits([setting])).length === 0);
}
