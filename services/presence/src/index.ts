export { type PresenceLimits, presenceLimits } from "./presence-limits.ts";
export { type Presence, type PresenceOptions, startPresence } from "./start-presence.ts";
