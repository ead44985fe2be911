export { nodeEngine } from "./node/node-engine.ts";
