export * from "./gen/sotto/v1/content_pb.js";
