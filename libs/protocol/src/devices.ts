export * from "./gen/sotto/v1/devices_pb.js";
