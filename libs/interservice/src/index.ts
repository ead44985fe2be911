export * from "./gen/sotto/internal/v1/internal_pb.js";
export { subjects } from "./subjects.ts";
