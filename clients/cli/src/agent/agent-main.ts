import { enableCompileCache } from "node:module";

enableCompileCache();
const { runAgent } = await import("./agent.ts");
const home = process.argv[2];
if (home === undefined) process.exit(2);
process.exit(await runAgent(home));
