import { describeCryptoEngine } from "../src/engine/conformance.ts";
import { webEngine } from "../src/index.ts";
import { nodeEngine } from "../src/node.ts";
import { peculiarEngine } from "../src/peculiar.ts";

describeCryptoEngine(nodeEngine);
describeCryptoEngine(webEngine);
describeCryptoEngine(peculiarEngine);
