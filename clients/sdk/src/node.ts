export { nodeEngine as nodeMlsEngine } from "@sotto/mls/node";
export { nodeSealCrypto } from "@sotto/sealed-media/node";
export { fileSource } from "./node/file-source.ts";
export {
  changePassphrase,
  removePassphrase,
  setPassphrase,
} from "./node/passphrase-change.ts";
export { ProfileKey, type ProfileLock } from "./node/profile-key.ts";
export { type SaveOptions, saveTo } from "./node/save-file.ts";
export { SqliteStore } from "./node/sqlite-store.ts";
export { tlsTransport } from "./node/tls-transport.ts";
export { nodeWebSocketTransport } from "./node/web-socket-transport.ts";
