export { type Admin, type AdminOptions, type ReadyCheck, startAdmin } from "./admin.ts";
export {
  type ConfigDefinition,
  ConfigError,
  defineConfig,
  type Environment,
  type VariableNames,
} from "./define-config.ts";
export type { LogFields, LogValue } from "./log-fields.ts";
export {
  createLogger,
  type LogDestination,
  type Logger,
  type LoggerOptions,
  type LogLevel,
  silentLogger,
} from "./logger.ts";
export {
  type CounterMetric,
  type CreateMetricsOptions,
  combineMetrics,
  createMetrics,
  type GaugeMetric,
  type HistogramMetric,
  type LabelArguments,
  type MetricLabels,
  type MetricOptions,
  type Metrics,
  type MetricsSource,
} from "./metrics.ts";
export { type ProgramEvent, type ProgramHost, processHost } from "./program-host.ts";
export {
  exitCodes,
  type RunningService,
  type RunServiceOptions,
  runService,
  type StartService,
} from "./run-service.ts";
export { StartError } from "./start-error.ts";
