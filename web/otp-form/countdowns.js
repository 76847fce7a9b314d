/** Named moments, and a word each second while any lies ahead. */
export class Countdowns {
  #ends = new Map();
  #timer = null;
  #tick;

  /** `tick(ended)` is called each second with the names of those that have just ended. */
  constructor(tick) {
    this.#tick = tick;
  }

  /** So many seconds from now; none or fewer is no countdown. */
  start(name, seconds) {
    if (!(seconds > 0)) return this.stop(name);
    this.#ends.set(name, Date.now() + seconds * 1000);
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

  /** No word until `resume`; time goes on. */
  pause() {
    this.#rest();
  }

  resume() {
    if (this.#ends.size) this.#timer ??= setInterval(() => this.#second(), 1000);
  }

  /** Whole seconds; 0 where there is no such countdown. */
  left(name) {
    return Math.max(0, Math.ceil(((this.#ends.get(name) ?? 0) - Date.now()) / 1000));
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
