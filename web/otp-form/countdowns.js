/**
 * Named countdowns, with a callback each second while any runs. They use the monotonic clock, so a change of the
 * system clock has no effect.
 */
export class Countdowns {
  #ends = new Map();
  #timer = null;
  #tick;

  /** `tick(ended)` is called each second with the names of the countdowns that just ended. */
  constructor(tick) {
    this.#tick = tick;
  }

  /** Start a countdown in seconds; stops it for zero, a negative value or a value that is not a number. */
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

  /** Pause the callbacks until `resume`; the countdowns go on. */
  pause() {
    this.#rest();
  }

  resume() {
    if (this.#ends.size) this.#timer ??= setInterval(() => this.#second(), 1000);
  }

  /** Whole seconds left; 0 if the countdown does not exist. */
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
