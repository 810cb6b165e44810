import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Freshness } from '../projections/freshness.ts';
import type { RouteTable } from './route-table.ts';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const COMMANDS = [1, 2, 4, 8, 16, 32, 64, 128];

export interface GatewayMetricsOptions {
  readonly routes: RouteTable;
  readonly waiting: () => number;
  readonly staleForMs: () => number;
}

/** What a gateway tells of itself. Names end in their unit; the labels are bounded: clusters, never issuers or shards. */
export class GatewayMetrics {
  readonly registry = new Registry();
  readonly #answers: Counter<'route' | 'status'>;
  readonly #latency: Histogram<'route'>;
  readonly #batches: Counter<'result'>;
  readonly #batchSize: Histogram;
  readonly #throttled: Counter<'cluster'>;
  readonly #staleness: Histogram<'question'>;
  readonly #outOfBudget: Counter<'question'>;
  readonly #reads: Counter<'served_by' | 'outcome'>;
  readonly #children = new Map<string, Counter.Internal>();

  constructor() {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry, prefix: 'capstan_gateway_' });
    this.#answers = new Counter({
      name: 'capstan_gateway_answers_total',
      help: 'Answers by route and HTTP status.',
      labelNames: ['route', 'status'],
      registers,
    });
    this.#latency = new Histogram({
      name: 'capstan_gateway_answer_seconds',
      help: 'From a request to its answer.',
      labelNames: ['route'],
      buckets: SECONDS,
      registers,
    });
    this.#batches = new Counter({
      name: 'capstan_gateway_batches_total',
      help: 'Batches by what came of them: decided, refused (no effect), unknown.',
      labelNames: ['result'],
      registers,
    });
    this.#batchSize = new Histogram({
      name: 'capstan_gateway_batch_commands',
      help: 'Commands in a batch.',
      buckets: COMMANDS,
      registers,
    });
    this.#throttled = new Counter({
      name: 'capstan_gateway_rpo_throttled_total',
      help: 'Commands that the pace of the RPO gate left no time for: refused, without effect.',
      labelNames: ['cluster'],
      registers,
    });
    this.#staleness = new Histogram({
      name: 'capstan_gateway_projection_staleness_seconds',
      help: 'How old what the projections answered was; answers of unknown age are not among them.',
      labelNames: ['question'],
      buckets: [...SECONDS, 10, 30, 60],
      registers,
    });
    this.#outOfBudget = new Counter({
      name: 'capstan_gateway_projection_out_of_budget_total',
      help: 'Answers of the projections that were older than their budget, or of unknown age.',
      labelNames: ['question'],
      registers,
    });
    this.#reads = new Counter({
      name: 'capstan_gateway_reads_total',
      help: 'Reads of issuers by who showed them and what came of it; a follower that was behind is counted beside what came then.',
      labelNames: ['served_by', 'outcome'],
      registers,
    });
  }

  /** A read by who answered it: `leader`, `follower` or `nobody`, and what came of it: `shown`, `behind`, or a problem's code. */
  read(served_by: string, outcome: string): void {
    this.#reads.labels({ served_by, outcome }).inc();
  }

  /** Gauges that are read when somebody asks. */
  observe({ routes, waiting, staleForMs }: GatewayMetricsOptions): void {
    const registers = [this.registry];
    type Label = 'cluster' | 'action';
    const gauge = (name: string, help: string, read: (set: Gauge<Label>) => void) =>
      new Gauge({
        name,
        help,
        labelNames: ['cluster', 'action'],
        registers,
        collect() {
          this.reset();
          read(this);
        },
      });
    gauge('capstan_gateway_waiting_commands', 'Commands that wait to be sent.', (set) => set.set(waiting()));
    gauge('capstan_gateway_view_age_seconds', 'Age of what this gateway knows of etcd.', (set) =>
      set.set(staleForMs() / 1_000),
    );
    gauge('capstan_gateway_cluster_term', 'The term of each cluster, as last learned.', (set) => {
      for (const [cluster, { authority }] of routes.view.clusters) {
        if (authority !== undefined) set.set({ cluster }, authority.value.term);
      }
    });
    gauge(
      'capstan_gateway_durability_degraded',
      '1 while the leader is its own durable set, else 0; no sample when it is not known.',
      (set) => {
        for (const [cluster, { inSync }] of routes.view.clusters) {
          if (inSync !== undefined) set.set({ cluster }, inSync.value.degraded ? 1 : 0);
        }
      },
    );
    gauge('capstan_gateway_rpo_claim', '1 while the RPO claim is advertised and proved, else 0.', (set) => {
      for (const cluster of routes.view.clusters.keys()) {
        set.set({ cluster }, routes.rpoOf(cluster)?.claim === 'advertised' ? 1 : 0);
      }
    });
    gauge('capstan_gateway_rpo_lag_seconds', 'RPO lag; no sample when it is not known.', (set) => {
      for (const cluster of routes.view.clusters.keys()) {
        const lagMs = routes.rpoOf(cluster)?.lagMs ?? null;
        if (lagMs !== null) set.set({ cluster }, lagMs / 1_000);
      }
    });
    gauge('capstan_gateway_rpo_budget_seconds', 'What the RPO lag is held against.', (set) => {
      for (const cluster of routes.view.clusters.keys()) {
        const budgetMs = routes.rpoOf(cluster)?.budgetMs;
        if (budgetMs !== undefined) set.set({ cluster }, budgetMs / 1_000);
      }
    });
    gauge('capstan_gateway_rpo_action', '1 while the RPO gate takes its action, else 0.', (set) => {
      for (const cluster of routes.view.clusters.keys()) {
        const rpo = routes.rpoOf(cluster);
        if (rpo !== undefined) set.set({ cluster, action: rpo.action }, rpo.acts ? 1 : 0);
      }
    });
  }

  answer(route: string, status: number, seconds: number): void {
    const name = `${route} ${status}`;
    let child = this.#children.get(name);
    if (child === undefined) {
      child = this.#answers.labels(route, String(status));
      this.#children.set(name, child);
    }
    child.inc();
    this.#latency.labels(route).observe(seconds);
  }

  projection(question: string, { stalenessMs, withinBudget }: Freshness): void {
    if (stalenessMs !== null) this.#staleness.labels(question).observe(stalenessMs / 1_000);
    if (!withinBudget) this.#outOfBudget.labels(question).inc();
  }

  throttled(cluster: string): void {
    this.#throttled.labels(cluster).inc();
  }

  batch(result: string, commands: number): void {
    this.#batches.labels(result).inc();
    this.#batchSize.observe(commands);
  }
}
