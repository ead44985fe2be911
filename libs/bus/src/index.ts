export * from "./bus.ts";
export { SubjectError } from "./subject.ts";
