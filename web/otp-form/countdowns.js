/**
 * Named countdowns, with a call each second while any runs. They follow the monotonic clock: a system clock that
 * is put right meanwhile changes nothing.
 */
export class Countdowns {
  #ends = new Map();
  #timer = null;
  #tick;

  /** `tick(ended)` is called each second with the names of those that have just ended. */
  constructor(tick) {
    this.#tick = tick;
  }

  /** Ends in that many seconds; no countdown for zero or fewer, or for what is no number. */
  start(name, seconds) {
    if (!(seconds > 0)) return this.stop(name);
    this.#ends.set(name, performance.now() + seconds * 1000);
    this.resume();
  }

  stop(name) {
    this.#ends.delete(name);
    if (!this.#ends.size) this.#rest();
  }

  stopAll() {
    this.#ends.clear();
    this.#rest();
  }

  /** No calls until `resume`; time goes on. */
  pause() {
    this.#rest();
  }

  resume() {
    if (this.#ends.size) this.#timer ??= setInterval(() => this.#second(), 1000);
  }

  /** Whole seconds; 0 where there is no such countdown. */
  left(name) {
    return Math.max(0, Math.ceil(((this.#ends.get(name) ?? 0) - performance.now()) / 1000));
  }

  #second() {
    const ended = [...this.#ends.keys()].filter((name) => this.left(name) === 0);
    for (const name of ended) this.#ends.delete(name);
    if (!this.#ends.size) this.#rest();
    this.#tick(ended);
  }

  #rest() {
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
