export { type MediaLimits, mediaLimits } from "./media-limits.ts";
export { type Media, type MediaOptions, startMedia } from "./start-media.ts";
