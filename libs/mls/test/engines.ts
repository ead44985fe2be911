import { type CryptoEngine, webEngine } from "../src/index.ts";
import { nodeEngine } from "../src/node.ts";
import { peculiarEngine } from "../src/peculiar.ts";

/** Every engine that there is. */
export const engines: readonly CryptoEngine[] = [nodeEngine, webEngine, peculiarEngine];
