import type { LocalFacts } from '../../src/agent/action.ts';
import { UNREAD } from '../../src/agent/decide-action.ts';
import type { Session } from '../../src/agent/local-session.ts';
import type { ControlData, MemberPostgres, RunningFacts } from '../../src/agent/member-postgres.ts';
import type { Memory } from '../../src/agent/memory.ts';
import type {
  LogPoint,
  OwnPosition,
  SourceHistory,
  TimelineSwitch,
} from '../../src/agent/timeline-history.ts';
import { unreachableError } from '../../src/domain/errors.ts';
import type { SimProcess } from './process.ts';
import { emptyDisk, type SimPostgres } from './sim-postgres.ts';
import { SimSession } from './sim-session.ts';
import { lsnNumber, lsnText } from './wal.ts';

const START_MS = 60_000;
const STOP_STEP_MS = 5_000;

/** What LocalPostgres is to the agent, over a simulated one: files, the process, sessions. */
export class SimMemberPostgres implements MemberPostgres {
  readonly admin: Session;
  readonly adopter: Session;
  readonly #process: SimProcess;
  readonly #postgres: SimPostgres;
  readonly #memory: Memory;

  constructor(process: SimProcess, postgres: SimPostgres, memory: Memory) {
    this.#process = process;
    this.#postgres = postgres;
    this.#memory = memory;
    this.admin = this.session('reconciler', 'superuser');
    this.adopter = this.session('adopt', 'agent', { timeoutMs: 20_000 });
  }

  session(
    purpose: string,
    _role: 'superuser' | 'agent',
    { waits = false, timeoutMs = 5_000 }: { readonly waits?: boolean; readonly timeoutMs?: number } = {},
  ): Session {
    return new SimSession({ process: this.#process, postgres: this.#postgres, purpose, waits, timeoutMs });
  }

  data(): Promise<LocalFacts['data']> {
    const { disk } = this.#postgres;
    if (this.#memory.value.building !== null) return Promise.resolve('incomplete');
    if (!disk.exists) return Promise.resolve('absent');
    return Promise.resolve(disk.standbySignal ? 'standby' : 'primary');
  }

  pid(): Promise<number | undefined> {
    return Promise.resolve(this.#postgres.server === undefined ? undefined : 1);
  }

  running(): Promise<RunningFacts | undefined> {
    const { server } = this.#postgres;
    if (server === undefined || !server.answers) return Promise.resolve(undefined);
    const facts = { recovering: server.mode !== 'primary', serverRun: server.started };
    if (server.process.state === 'running') return Promise.resolve(facts);
    // A server that is stopped answers nobody; the look gives up.
    return this.#process.clock.sleep(1_000).then(() => undefined);
  }

  upstream(running: RunningFacts | undefined): Promise<string | null> {
    const { disk, server } = this.#postgres;
    if (running?.recovering !== true || server === undefined)
      return Promise.resolve(disk.upstream?.name ?? null);
    if (server.settings.shownSource === (disk.upstream?.name ?? ''))
      return Promise.resolve(disk.upstream?.name ?? null);
    return this.reload().then(() => UNREAD);
  }

  async writeUpstream(leader: { readonly member: string; readonly name: string } | null): Promise<void> {
    await this.#write();
    const as = `${this.#postgres.member}_${this.#memory.value.incarnation ?? 'unknown'}`;
    this.#postgres.disk.upstream = leader === null ? null : { ...leader, as };
  }

  async writeSyncNames(names: string): Promise<void> {
    await this.#write();
    this.#postgres.disk.syncNames = names;
  }

  reload(): Promise<void> {
    const { server } = this.#postgres;
    if (server !== undefined) server.process.deliver('reload', () => server.reload());
    return Promise.resolve();
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#write();
    this.#postgres.start();
    const { clock } = this.#process;
    const deadline = clock.monotonicMs() + START_MS;
    while ((await this.running()) === undefined) {
      if (this.#postgres.server === undefined || clock.monotonicMs() > deadline)
        throw unreachableError('postgres did not come up', { code: 'postgres_start_failed' });
      if (signal.aborted) return;
      await clock.sleep(50, signal);
    }
  }

  async stop(mode: 'fast' | 'immediate', stepMs = STOP_STEP_MS): Promise<void> {
    this.admin.drop();
    this.adopter.drop();
    await this.#write();
    if (mode === 'fast') {
      this.#postgres.shutDown();
      const { clock } = this.#process;
      const lastMs = clock.monotonicMs() + stepMs;
      while (this.#postgres.server !== undefined && clock.monotonicMs() < lastMs) await clock.sleep(5);
    }
    this.#postgres.crash('an immediate shutdown');
  }

  hasEnded(): Promise<boolean> {
    return Promise.resolve(this.#postgres.server === undefined);
  }

  async markStandby(): Promise<void> {
    await this.#write();
    this.#postgres.disk.standbySignal = true;
  }

  async controlData(): Promise<ControlData> {
    await this.#write();
    const { disk, server } = this.#postgres;
    return {
      cleanlyShutDown: disk.cleanEnd && server === undefined,
      // Records know where they end; this one begins before that.
      checkpointLsn: lsnText(Math.max(0, this.#postgres.endLsn - 1)),
      timeline: disk.timeline,
    };
  }

  async discardData(): Promise<void> {
    await this.#write();
    this.#postgres.disk = emptyDisk();
  }

  async hasRecordAfter({ lsn }: Pick<OwnPosition, 'lsn' | 'timeline'>): Promise<boolean> {
    await this.#write();
    const { disk } = this.#postgres;
    return disk.wal.slice(0, disk.flushed).some((record) => record.lsn > lsnNumber(lsn));
  }

  isRefusedBy(member: string): Promise<boolean> {
    const { environment, host } = this.#postgres;
    const { network } = environment;
    const other = environment.postgresOf(member);
    const heard =
      other !== undefined &&
      !network.isCut(other.host.name, host.name) &&
      !network.isCut(host.name, other.host.name);
    return Promise.resolve(heard && other.server === undefined);
  }

  historyOf(member: string): Promise<SourceHistory> {
    const { promise, resolve, reject } = Promise.withResolvers<SourceHistory>();
    const { environment, host } = this.#postgres;
    const { network } = environment;
    const source = environment.postgresOf(member);
    const cancel = this.#process.timer(5_000, () =>
      reject(unreachableError('no answer', { code: 'source_silent' })),
    );
    const answer = (how: () => void) =>
      network.tell(this.#process, source?.host.name ?? '', `${member} tells its history`, () => {
        cancel();
        how();
      });
    network.send({ from: host.name, to: source?.host.name ?? '', label: `who was ${member}` }, () => {
      const server = source?.server;
      if (source === undefined || server === undefined || !server.answers) {
        answer(() => reject(unreachableError('connection refused', { code: 'source_unreachable' })));
        return;
      }
      server.process.deliver('history', () => {
        const { system, timeline, history } = source.disk;
        const found = {
          systemIdentifier: system,
          timeline,
          flushedLsn: lsnText(source.endLsn),
          switches: history.map(({ parent, switchLsn }) => ({ parent, switchLsn: lsnText(switchLsn) })),
        };
        answer(() => resolve(found));
      });
    });
    return promise;
  }

  switchesBefore(): Promise<readonly TimelineSwitch[]> {
    const { history } = this.#postgres.disk;
    return Promise.resolve(
      history.map(({ parent, switchLsn }) => ({ parent, switchLsn: lsnText(switchLsn) })),
    );
  }

  /** By what both disks hold; nothing crosses the network, whose part `historyOf` has just played. */
  whyAnotherLog(leader: string, { lsn }: LogPoint): Promise<string | undefined> {
    const theirs = new Set(this.#postgres.environment.postgresOf(leader)?.disk.wal);
    const foreign = this.#postgres.disk.wal.find(
      (record) => record.lsn <= lsnNumber(lsn) && !theirs.has(record),
    );
    return Promise.resolve(foreign === undefined ? undefined : `other records are in it, at ${foreign.lsn}`);
  }

  /** A file's write takes a moment now and then, and a crash can come before it. */
  #write(): Promise<void> {
    const { random } = this.#process.scheduler;
    return random.chance(0.7) ? Promise.resolve() : this.#process.clock.sleep(random.between(0.2, 5));
  }
}
