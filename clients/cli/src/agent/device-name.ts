import { hostname } from "node:os";
import { optionalText } from "./params.ts";

/** How this machine is called in lists of devices, where a person names it not otherwise. */
export function deviceNameOf(params: Readonly<Record<string, unknown>>): string {
  return optionalText(params, "deviceName") ?? hostname();
}
