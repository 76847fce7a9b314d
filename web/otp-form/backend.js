const TIMEOUT_MS = 40_000;
/** A `Date` header has whole seconds, and servers may cache it for one. */
const DATE_HEADER_MS = 3_000;
const KEY_BYTES = 16;
const IN_PROGRESS_REPEATS = 20;

/** Error codes with a definite outcome, although their status is a 5xx. */
const DECIDED = ["PROVIDER_UNAVAILABLE", "SENDING_STOPPED"];

/**
 * The app's backend, called with cookies. It never throws: an answer is `{ok: true, body, now}` for a 200, `now` being
 * the backend's time in milliseconds, or `{ok: false, problem}` with `{errorCode, status, attemptsRemaining,
 * retryAfter, …}` (the service's RFC 9457 problem), also without an answer or for an answer that is not JSON.
 */
export class Backend {
  #keys = new IdempotencyKeys();

  /** Retries while an equal request is in progress; `isMeant()` is false once the answer is no longer needed. */
  async post(url, body, isMeant) {
    const key = this.#keys.keyFor(url, body);
    let answer = await post(url, body, key);
    for (let repeat = 0; isInProgress(answer) && repeat < IN_PROGRESS_REPEATS && isMeant(); repeat += 1) {
      await new Promise((go) => setTimeout(go, 1000 * (answer.problem.retryAfter || 1)));
      answer = await post(url, body, key);
    }
    this.#keys.answered(url, answer);
    return answer;
  }

  async get(url) {
    return call(url, { headers: { accept: "application/json" }, cache: "no-store" });
  }

  /** Later requests belong to a new click. */
  forget() {
    this.#keys.clear();
  }
}

async function post(url, body, idempotencyKey) {
  const headers = {
    "content-type": "application/json",
    accept: "application/json",
    "idempotency-key": idempotencyKey,
  };
  return call(url, { method: "POST", headers, body: JSON.stringify(body) });
}

async function call(url, request) {
  let response;
  try {
    response = await fetch(url, { ...request, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    return { ok: false, problem: { errorCode: "UNREACHABLE", status: 0 } };
  }
  const answer = await response.json().catch(() => null);
  const object = answer !== null && typeof answer === "object" ? answer : {};
  if (response.ok && answer !== null) return { ok: true, body: object, now: timeOf(response) };
  return { ok: false, problem: problem(response, object) };
}

function problem(response, body) {
  const retryAfter = Number(body.retryAfter ?? response.headers.get("retry-after") ?? 0);
  return {
    ...body,
    errorCode: String(body.errorCode ?? "UNKNOWN"),
    status: response.status,
    retryAfter: Number.isFinite(retryAfter) ? retryAfter : 0,
  };
}

/** The user's clock may be wrong, so the server's decides expiry. If both agree, ours is more precise. */
function timeOf(response) {
  const theirs = Date.parse(response.headers.get("date") ?? "");
  const isOff = Math.abs(theirs - Date.now()) > DATE_HEADER_MS;
  return isOff ? theirs : Date.now();
}

/** Seconds from `now` (milliseconds) until `moment`; NaN if it is not a time. */
export function secondsUntil(moment, now) {
  return (Date.parse(moment) - now) / 1000;
}

/** The body, with the captcha's response if there is one. */
export function withChallenge(body, challenge) {
  return challenge === undefined ? body : { ...body, challenge };
}

/**
 * One `Idempotency-Key` for each click, kept until an answer arrives: a request whose answer was lost is repeated
 * with its first key, and so sends no second code and spends no second attempt.
 */
class IdempotencyKeys {
  #pending = new Map();

  /** The key of this request, reused while an equal request to this URL is unanswered. */
  keyFor(url, body) {
    const text = JSON.stringify(body);
    const pending = this.#pending.get(url);
    if (pending?.text === text) return pending.key;
    const key = newKey();
    this.#pending.set(url, { text, key });
    return key;
  }

  /** Drop the key if the answer states the request's outcome. */
  answered(url, answer) {
    if (answer.ok || !isLost(answer.problem)) this.#pending.delete(url);
  }

  clear() {
    this.#pending.clear();
  }
}

/** Whether the request's outcome is unknown. */
function isLost({ status, errorCode }) {
  if (DECIDED.includes(errorCode)) return false;
  return status === 0 || status >= 500 || errorCode === "REQUEST_IN_PROGRESS";
}

function isInProgress(answer) {
  return !answer.ok && answer.problem.errorCode === "REQUEST_IN_PROGRESS";
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
