export * from "./gen/sotto/internal/v1/internal_pb.js";
export { type CallOptions, call, type ServeCallsOptions, serve } from "./rpc.ts";
export { subjects } from "./subjects.ts";
