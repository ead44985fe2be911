export { serveOperator } from "./operator/operator-socket.ts";
export { loadServerIdentity } from "./server-identity.ts";
export { loadServerKeys, type ServerKeys } from "./server-keys.ts";
export { type KeyserverOptions, type KeyserverService, startKeyserver } from "./start-keyserver.ts";
