export { adminSocketPath } from "./admin-socket.ts";
export {
  checkSettings,
  descriptionOf,
  type SettingReport,
  type SettingsReport,
} from "./check-settings.ts";
export { type LimitName, parseLimits, wrongLimits } from "./limits.ts";
export { natsOf } from "./nats-of.ts";
export { pickSettings, type SettingName, type SettingPick } from "./pick-settings.ts";
export { type PublicAddress, publicAddress, showAddress } from "./public-address.ts";
export { type Settings, settings, variableOf, variables } from "./settings.ts";
