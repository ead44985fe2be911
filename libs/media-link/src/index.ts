export * from "./media-link.ts";
