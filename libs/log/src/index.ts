export { type FollowRequest, follow, followBatches, tail } from "./follow.ts";
export {
  type Appended,
  type AppendRequest,
  type Incarnation,
  idempotencyWindowMs,
  type LiveSubscription,
  type Log,
  LogError,
  type LogErrorCode,
  type LogRecord,
  type Position,
  type ReadRequest,
  readBytesMax,
  readRecordsMax,
  recordBytesMax,
  type Sequence,
  type SubjectKind,
  type Topic,
  type TopicHead,
} from "./log.ts";
export { parseIncarnation, parseKey, parseKind, parseSequence, parseTopic } from "./topic.ts";
