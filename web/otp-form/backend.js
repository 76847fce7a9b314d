const TIMEOUT_MS = 40_000;
/** A `Date` header has whole seconds, and servers make it anew each second. */
const DATE_HEADER_MS = 3_000;
const KEY_BYTES = 16;
const IN_PROGRESS_REPEATS = 20;

/** Answers of the service that say what became of a request, though their status is one of failure. */
const DECIDED = ["PROVIDER_UNAVAILABLE", "SENDING_STOPPED"];

/**
 * The app's own backend, called with cookies. It never throws: an answer is `{ok: true, body, now}` for a 200, `now`
 * being the backend's time in milliseconds, or `{ok: false, problem}` with `{errorCode, status, attemptsRemaining,
 * retryAfter, …}` (RFC 9457 as the service writes it), also where no answer or no JSON came back.
 */
export class Backend {
  #keys = new IdempotencyKeys();

  /** Waits while an equal request is still in progress there; `isMeant()` is false once nobody awaits the answer. */
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

  /** What is sent from now on is a new click. */
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

/** The user's clock may be wrong; the server's decides what has expired. Where both agree, ours is the finer. */
function timeOf(response) {
  const theirs = Date.parse(response.headers.get("date") ?? "");
  const isOff = Math.abs(theirs - Date.now()) > DATE_HEADER_MS;
  return isOff ? theirs : Date.now();
}

/** NaN for what is no time. */
export function secondsUntil(moment, now) {
  return (Date.parse(moment) - now) / 1000;
}

/** The body with the captcha's response, where there is one. */
export function withChallenge(body, challenge) {
  return challenge === undefined ? body : { ...body, challenge };
}

/**
 * One `Idempotency-Key` for each click, kept until an answer came: a request whose answer was lost is sent again
 * under its first key, and so sends no second code and spends no second attempt.
 */
class IdempotencyKeys {
  #kept = new Map();

  /** The key of this request; the same one while an equal request to that URL has had no answer. */
  keyFor(url, body) {
    const text = JSON.stringify(body);
    const kept = this.#kept.get(url);
    if (kept?.text === text) return kept.key;
    const key = newKey();
    this.#kept.set(url, { text, key });
    return key;
  }

  /** Forget the key if the answer says what became of the request. */
  answered(url, answer) {
    if (answer.ok || !isLost(answer.problem)) this.#kept.delete(url);
  }

  clear() {
    this.#kept.clear();
  }
}

/** Whether nobody knows what became of the request. */
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
