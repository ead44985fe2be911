export { connectHttpMediaLink, type HttpMediaLinkOptions } from "./http/link-client.ts";
export {
  type HttpMediaLinkServer,
  type ServeHttpMediaLinkOptions,
  serveHttpMediaLink,
} from "./http/link-server.ts";
