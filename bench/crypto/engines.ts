import { type CryptoEngine, webEngine } from "@sotto/mls";
import { nodeEngine } from "@sotto/mls/node";
import { peculiarEngine } from "@sotto/mls/peculiar";

/** What is compared. */
export const engines: readonly CryptoEngine[] = [nodeEngine, webEngine, peculiarEngine];
