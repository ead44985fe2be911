export { describeWithNats, describeWithRedis, serverOrSkip } from "./describe-with-server.ts";
export { describeWithTrace } from "./describe-with-trace.ts";
export { type NatsServerOptions, natsCommand, natsServer } from "./nats-server.ts";
export { type DiskAfterPowerLoss, type PowerLossOptions, simulatePowerLoss } from "./power-loss.ts";
export { promtoolCommand } from "./promtool.ts";
export { type FileRecorder, type NodeFiles, recordFiles } from "./recorded-files.ts";
export type { FileOperation, NodeId, Recording } from "./recording.ts";
export { type RedisServerOptions, redisCommand, redisServer } from "./redis-server.ts";
export { type Random, seededRandom } from "./seeded-random.ts";
export type { ServerCommand } from "./server-command.ts";
export type { TestServer } from "./test-servers.ts";
export {
  type FileTrace,
  type FileTraceOptions,
  type RunningTraceOptions,
  recordProcess,
  traceFiles,
  traceMissing,
  traceRunning,
} from "./trace-files.ts";
export type { MarksOf } from "./trace-recording.ts";
