// Runs the whole suite, or with `compose` that of the containers (npm run test:compose).
import { runVitest } from "./vitest.mjs";

const [suite, ...rest] = process.argv.slice(2);
if (suite === "compose") runVitest(rest, { SOTTO_TEST_SUITE: "compose" });
else runVitest(process.argv.slice(2));
