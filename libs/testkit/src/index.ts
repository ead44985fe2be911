export { describeWithNats, describeWithRedis, serverOrSkip } from "./describe-with-server.ts";
export { type NatsServerOptions, natsCommand, natsServer } from "./nats-server.ts";
export { type RedisServerOptions, redisCommand, redisServer } from "./redis-server.ts";
export type { ServerCommand } from "./server-command.ts";
export type { TestServer } from "./test-servers.ts";
