export { type KeyserverOptions, type KeyserverService, startKeyserver } from "./start-keyserver.ts";
