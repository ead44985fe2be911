import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Beside the project, unless told otherwise. */
const beside = fileURLToPath(new URL("../../../../../shared/vectors/mls", import.meta.url));

/** Where the official test vectors of RFC 9420 are. */
export const vectorsFolder: string = process.env["MLS_VECTORS"] ?? beside;
export const vectorsPresent: boolean = existsSync(vectorsFolder);
/** In CI their absence is a failure. */
export const vectorsRequired: boolean = process.env["CI"] !== undefined;
/** Set by `npm run test:trust -- vectors --long`: all of them, with all engines. */
export const long: boolean = process.env["SOTTO_TRUST_LONG"] === "1";
