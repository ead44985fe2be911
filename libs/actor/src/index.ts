export { type ActorOptions, type ActorRef, type FullMailbox, spawn } from "./actor.ts";
export { Serial } from "./serial.ts";
export { type SupervisedOptions, supervise } from "./supervise.ts";
export { Turns } from "./turns.ts";
