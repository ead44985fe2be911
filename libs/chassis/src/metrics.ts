import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** Values of a metric's labels. Only closed, small sets: never an id, a name or an address. */
export type MetricLabels<Label extends string> = Readonly<Record<Label, string>>;

/** What goes with a value: nothing where the metric has no labels, all of them where it has some. */
export type LabelArguments<Label extends string> = [Label] extends [never]
  ? []
  : [labels: MetricLabels<Label>];

export interface MetricOptions<Label extends string> {
  /** Whose figure it is where not the service's own: it is then prefixed by `sotto_<of>_`. */
  readonly of?: string;
  /** Prefixed by `sotto_<service>_`. Counters end in `_total`; others in their unit (`_seconds`, `_bytes`). */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly Label[];
}

/** Only grows. */
export interface CounterMetric<Label extends string = never> {
  add(value: number, ...labels: LabelArguments<Label>): void;
}

export interface GaugeMetric<Label extends string = never> {
  set(value: number, ...labels: LabelArguments<Label>): void;
}

export interface HistogramMetric<Label extends string = never> {
  observe(value: number, ...labels: LabelArguments<Label>): void;
}

/** What an admin port shows under `/metrics`. */
export interface MetricsSource {
  /** All values in the Prometheus text format. */
  render(): Promise<string>;
}

/**
 * The metrics of one service, in a registry of their own: services that share a process do not
 * share names. Defining one name twice throws.
 */
export interface Metrics extends MetricsSource {
  counter<Label extends string = never>(options: MetricOptions<Label>): CounterMetric<Label>;
  gauge<Label extends string = never>(options: MetricOptions<Label>): GaugeMetric<Label>;
  /** A gauge without labels whose value is asked for when the metrics are read. */
  gaugeOf(options: MetricOptions<never>, value: () => number): void;
  histogram<Label extends string = never>(
    options: MetricOptions<Label> & { readonly buckets: readonly number[] },
  ): HistogramMetric<Label>;
}

export interface CreateMetricsOptions {
  readonly service: string;
  /** Labels on every value, besides `service`; such as the instance's id. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Also the process's own figures (CPU, memory, event loop). Once per process. Default false. */
  readonly processMetrics?: boolean;
}

export function createMetrics(options: CreateMetricsOptions): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service: options.service, ...options.labels });
  if (options.processMetrics) collectDefaultMetrics({ register: registry });
  return new ServiceMetrics(registry, prefixOf(options.service));
}

/** Several services' metrics as one page, for a process that holds them all. */
export function combineMetrics(sources: readonly MetricsSource[]): MetricsSource {
  return {
    async render() {
      const pages = await Promise.all(sources.map((source) => source.render()));
      return pages.join("");
    },
  };
}

function prefixOf(service: string): string {
  return `sotto_${service.replaceAll("-", "_")}_`;
}

class ServiceMetrics implements Metrics {
  readonly #registry: Registry;
  readonly #prefix: string;

  constructor(registry: Registry, prefix: string) {
    this.#registry = registry;
    this.#prefix = prefix;
  }

  counter<Label extends string = never>(options: MetricOptions<Label>): CounterMetric<Label> {
    const counter = new Counter<Label>(this.#definition(options));
    return {
      add: (value, ...[labels]) => (labels ? counter.inc(labels, value) : counter.inc(value)),
    };
  }

  gauge<Label extends string = never>(options: MetricOptions<Label>): GaugeMetric<Label> {
    const gauge = new Gauge<Label>(this.#definition(options));
    return {
      set: (value, ...[labels]) => (labels ? gauge.set(labels, value) : gauge.set(value)),
    };
  }

  gaugeOf(options: MetricOptions<never>, value: () => number): void {
    new Gauge({
      ...this.#definition(options),
      collect() {
        this.set(value());
      },
    });
  }

  histogram<Label extends string = never>(
    options: MetricOptions<Label> & { readonly buckets: readonly number[] },
  ): HistogramMetric<Label> {
    const buckets = [...options.buckets];
    const histogram = new Histogram<Label>({ ...this.#definition(options), buckets });
    return {
      observe: (value, ...[labels]) =>
        labels ? histogram.observe(labels, value) : histogram.observe(value),
    };
  }

  async render(): Promise<string> {
    const text = await this.#registry.metrics();
    return text.endsWith("\n") ? text : `${text}\n`;
  }

  #definition<Label extends string>(options: MetricOptions<Label>) {
    return {
      name: `${options.of === undefined ? this.#prefix : prefixOf(options.of)}${options.name}`,
      help: options.help,
      labelNames: [...(options.labels ?? [])],
      registers: [this.#registry],
    };
  }
}
