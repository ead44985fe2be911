export { type Frame, FrameFlag, FrameType, frameHeaderBytes } from "./frame.ts";
export * from "./gen/sotto/v1/client_pb.js";
export * from "./gen/sotto/v1/records_pb.js";
export * from "./ids.ts";
export { limits } from "./limits.ts";
