// Reads a lane's rings and calls its handler, until main wants the thread back or the breaker opens.
import { callHandler, isThenable } from '../../src/shared/attempt.js';
import { SharedBreaker } from '../../src/shared/breaker.js';
import { type Clock, systemClock } from '../../src/shared/clock.js';
import { AttemptContext } from '../../src/shared/context.js';
import { timeoutAfter } from '../../src/shared/deadline.js';
import { readHead } from '../../src/shared/delivery.js';
import { Doorbell } from '../../src/shared/doorbell.js';
import type { DrainTask, LaneTaskResult } from '../../src/shared/lane-task.js';
import { DONE, KIND, RECORD_HEADER_BYTES, STATE } from '../../src/shared/layout.js';
import { FollowingClock } from '../../src/shared/stepped-time.js';
import { Endings } from './endings.js';
import { listenToExit } from './exit.js';
import { faulty } from './faults.js';
import { Heartbeat } from './heartbeat.js';
import { attemptNow, enterAttempt, leaveAttempts, listenToLateThrows } from './late.js';
import { Lingering } from './lingering.js';
import type { LoadedHandler } from './load.js';
import { OrderKeeper } from './order.js';
import { Outbox } from './outbox.js';
import { type Aside, largePayload, type Place, Places, RingAttempt } from './place.js';
import { Settler } from './settler.js';
import { DrainTurn } from './turn.js';
import { turnOfLoop, Vigil } from './vigil.js';

/** The event loop gets a turn (timers, sockets, late throws) at least this often, in milliseconds. */
const LOOP_TURN_MS = 8;
/** A lane keeps its thread this long while others wait for one, in milliseconds. */
const QUANTUM_MS = 10;
/** What a drain has to wait for before it starts another delivery. */
type Hindrance = 'full' | 'ask' | 'empty' | 'long' | 'held' | 'leave';

/** One run of the lane's task. */
export class Drain {
  readonly #task: DrainTask;
  readonly #handler: LoadedHandler;
  readonly #places: Places;
  readonly #large: ReadonlyMap<number, Buffer>;
  readonly #bell: Doorbell;
  readonly #mainBell: Doorbell;
  readonly #turn: DrainTurn;
  /** The bus's: what users configure runs by it. Sharing the thread is a matter of real time. */
  readonly #clock: Clock;
  readonly #breaker: SharedBreaker | null;
  readonly #outbox: Outbox;
  readonly #settler: Settler;
  readonly #order: OrderKeeper;
  readonly #lingering: Lingering;
  readonly #heartbeat: Heartbeat;
  /** The timeout now, where it is fitted to what handlers take. */
  readonly #timeout: Int32Array | null;
  #inFlight = 0;
  readonly #endings = new Endings();
  readonly #vigil: Vigil;
  readonly #nextPlace = (): Place | undefined => this.#places.next();
  #lastLoopTurn = systemClock.elapsed();
  readonly #leaveAfter = this.#lastLoopTurn + QUANTUM_MS;

  constructor(task: DrainTask, handler: LoadedHandler) {
    this.#task = task;
    this.#places = new Places(task.rings, task.isSerial);
    this.#large = new Map(task.large.map(([number, memory]) => [number, Buffer.from(memory)]));
    this.#bell = new Doorbell(task.bell);
    this.#turn = new DrainTurn(task.turn);
    this.#timeout = task.observation === null ? null : new Int32Array(task.observation.timeout);
    this.#clock = task.time === null ? systemClock : new FollowingClock(task.time);
    const { breaker } = task;
    this.#breaker = breaker === null ? null : new SharedBreaker(breaker.memory, this.#clock, breaker.offset);
    this.#handler = faulty(handler, task, this.#clock);
    this.#mainBell = new Doorbell(task.mainBell);
    this.#vigil = new Vigil(this.#bell);
    this.#outbox = new Outbox(task, this.#mainBell, this.#clock, () => this.#turn.beat());
    this.#order = new OrderKeeper(task.order, task.parked, task.concurrency);
    this.#lingering = new Lingering(this.#clock, task.graceMs, () => this.#mustEndThread());
    this.#heartbeat = new Heartbeat(this.#turn, () => !task.isSerial && this.#inFlight > 0);
    this.#settler = new Settler(
      task,
      handler.options,
      this.#outbox,
      this.#breaker,
      this.#mainBell,
      (attempt) => this.#lingering.begin(attempt),
      (attempt) => this.#ended(attempt),
    );
  }

  async run(): Promise<LaneTaskResult> {
    listenToLateThrows((thrown, attempt) => this.#settler.failLate(thrown, attempt));
    listenToExit((code) => this.#tellExit(code));
    try {
      return { kind: await this.#loop() };
    } catch (thrown) {
      this.#end(thrown);
    } finally {
      listenToLateThrows(undefined);
      listenToExit(undefined);
    }
  }

  /** A fault of busbar's own, or a record that cannot be read: the rings may be mended only when this thread is gone. */
  #end(thrown: unknown): never {
    try {
      this.#settler.failLate(thrown, undefined);
    } finally {
      leaveAttempts();
      process.exit(1);
    }
  }

  #tellExit(code: number): void {
    const attempt = attemptNow();
    // One that is over may have another record in its place by now.
    const isUnderWay = attempt?.context.isClosed === false && this.#places.includes(attempt.place);
    this.#turn.tellExit(this.#task.number, isUnderWay ? attempt.address : attempt && null, code);
    this.#mainBell.ring();
  }

  async #loop(): Promise<'gave-way' | 'held'> {
    let why = this.#advance();
    for (;;) {
      switch (why) {
        case 'full':
          why = await this.#endings.until(
            () => this.#advance(),
            (found) => found !== 'full',
          );
          continue;
        case 'ask':
          await this.#bell.sleep(() => this.#turn.mustLeave || this.#order.hasAnswer);
          break;
        case 'empty':
          if (!(await this.#sleep())) return this.#leave('gave-way');
          break;
        case 'long':
          if (!(await this.#breathe())) return this.#leave('gave-way');
          break;
        case 'held':
          return this.#leave('held');
        case 'leave':
          return this.#leave('gave-way');
      }
      why = this.#advance();
    }
  }

  /** One turn of the loop: starts what can be started, and says what has to be waited for. */
  #advance(): Hindrance {
    this.#turn.beat();
    const why = this.#work();
    this.#outbox.ring();
    // A look at it after each message may have missed main: the next one does not, and where handlers run it will come.
    if (why !== 'full' && this.#places.haveWantedRoom) this.#mainBell.ring();
    this.#heartbeat.keep();
    return why;
  }

  /** Starts deliveries until something has to be waited for, and says what. */
  #work(): Hindrance {
    for (;;) {
      if (this.#turn.wasAskedToLeave) return 'leave';
      if (this.#inFlight >= this.#task.concurrency) return 'full';
      const aside = this.#order.nextAside;
      const place = aside?.place ?? this.#places.next() ?? this.#spin();
      if (place === undefined) return 'empty';
      const startedAt = this.#clock.elapsed();
      const hindrance = this.#start(place, startedAt, aside ?? null);
      if (hindrance !== undefined) return hindrance;
      const realTime = this.#clock === systemClock ? startedAt : systemClock.elapsed();
      if (realTime - this.#lastLoopTurn > LOOP_TURN_MS) return 'long';
    }
  }

  /** Gives the event loop a turn. False: the quantum is over, and others wait. */
  async #breathe(): Promise<boolean> {
    if (this.#turn.isWanted && systemClock.elapsed() > this.#leaveAfter) return false;
    await turnOfLoop();
    this.#lastLoopTurn = systemClock.elapsed();
    return true;
  }

  /** Until there is something to do. False: others wait for a thread. */
  async #sleep(): Promise<boolean> {
    if (this.#turn.isWanted) return false;
    const hasWork = (): boolean => this.#order.nextAside !== undefined || this.#places.next() !== undefined;
    const mustWake = (): boolean => this.#turn.mustLeave || this.#turn.isWanted || hasWork();
    if (await this.#vigil.sleep(mustWake, this.#inFlight === 0)) this.#lastLoopTurn = systemClock.elapsed();
    return true;
  }

  /** Starts the next delivery of this place, or says what it has to wait for: then it was not touched. */
  #start(place: Place, startedAt: number, aside: Aside | null): 'full' | 'ask' | 'held' | 'leave' | undefined {
    const { reader } = place;
    const word = place.wordOf(aside);
    const delivery = readHead(reader, (word << 2) + RECORD_HEADER_BYTES, this.#task.names);
    const isDone = reader.words[word + STATE] === DONE;
    const large = isDone ? null : largePayload(reader, word, delivery, this.#large);
    // It was published after this drain began: the next one will have it.
    if (large === undefined) return 'leave';
    const stamp = reader.words[word + KIND] as number;
    const fate = isDone ? 'start' : this.#order.fateOf(delivery, stamp, aside !== null);
    if (fate === 'ask' || fate === 'full') return fate;
    if (fate === 'behind') {
      this.#order.setAside(delivery, place.setAside(word));
      return undefined;
    }
    const permit = this.#breaker === null ? null : this.#breaker.enter();
    if (permit === undefined && this.#task.whenOpen === 'hold') return 'held';
    this.#read(place, aside);
    const timeoutMs = timeoutAfter(this.#timeoutMs(), delivery.timeouts, this.#task.deadline);
    const context = new AttemptContext(delivery, this.#task.names.instance, timeoutMs, startedAt, this.#outbox);
    const attempt = new RingAttempt(permit ?? null, context, delivery, startedAt, place, word, large, aside);
    place.track(attempt);
    this.#inFlight++;
    if (isDone) this.#settler.skip(attempt);
    else if (fate === 'bounce') this.#settler.bounce(attempt);
    else if (permit === undefined) this.#settler.refuse(attempt);
    else this.#callInTime(attempt);
    return undefined;
  }

  #read({ reader }: Place, aside: Aside | null): void {
    if (aside === null) reader.next();
    else this.#order.takeAside();
  }

  #callInTime(attempt: RingAttempt): void {
    const { expiresAt } = attempt.delivery;
    if (expiresAt !== 0 && this.#clock.now() > expiresAt) this.#settler.expire(attempt);
    else this.#call(attempt);
  }

  #call(attempt: RingAttempt): void {
    attempt.place.begin(attempt);
    this.#order.started(attempt.delivery);
    enterAttempt(attempt);
    let result: unknown;
    try {
      const payload = attempt.decode(this.#task.bytes);
      result = callHandler(attempt, this.#handler.handle, this.#handler.options, payload);
      // `then` is the handler's, too: it may be a getter that throws, or throw when it is called, or go on after it has called
      // back: what it does then would be taken for the doing of the next one, were that to begin on its stack.
      if (isThenable(result)) {
        Promise.resolve(result).then(
          (value) => this.#settler.succeed(attempt, value),
          (thrown) => this.#settler.fail(attempt, thrown),
        );
        return;
      }
    } catch (thrown) {
      this.#settler.fail(attempt, thrown);
      return;
    }
    this.#settler.succeed(attempt, result);
  }

  /** Looks again for a short while. */
  #spin(): Place | undefined {
    if (this.#inFlight > 0) return undefined;
    const place = this.#vigil.spin(this.#nextPlace);
    return this.#turn.mustLeave ? undefined : place;
  }

  async #leave<K extends 'gave-way' | 'held'>(kind: K): Promise<K> {
    const { over } = this.#lingering;
    while (this.#inFlight > over.size) await this.#endings.next();
    // One that has settled meanwhile waits for room, or for its hook.
    const unsettled = [...over].filter(({ hasEnded }) => !hasEnded);
    for (const attempt of unsettled) this.#settler.abandon(attempt);
    while (this.#inFlight > 0) await this.#endings.next();
    if (unsettled.length > 0) process.exit(1);
    // What a settled handler has left to the event loop, a loop perhaps, is not to meet the next lane's drain.
    await turnOfLoop();
    return kind;
  }

  /** Others that run on it come to their ends first. */
  #mustEndThread(): void {
    this.#turn.giveUp();
    this.#bell.ring();
    this.#endings.tell();
  }

  #timeoutMs(): number {
    return this.#timeout === null ? this.#task.deadline.timeoutMs : Atomics.load(this.#timeout, 0);
  }

  #ended(attempt: RingAttempt): void {
    this.#inFlight--;
    const wasTaken = attempt.hasBegun || attempt.aside !== null;
    if (wasTaken && this.#order.ended(attempt.delivery)) this.#bell.ring();
    if (attempt.hasBegun && this.#task.observation !== null) {
      const ranMs = this.#clock.elapsed() - attempt.startedAt;
      this.#task.observation.durations.record(Math.max(1, Math.round(ranMs * 1000)));
    }
    if (attempt.asksMain) this.#order.asked(attempt.delivery);
    this.#lingering.ended(attempt);
    this.#endings.tell();
  }
}
