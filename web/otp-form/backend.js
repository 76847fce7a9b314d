const TIMEOUT_MS = 40_000;
const CLOCKS_AGREE_MS = 30_000;

/**
 * Posts JSON to the app's own backend, cookies included, and never throws:
 * `{ok: true, body, ahead}` for a 200, or `{ok: false, problem}` with `{errorCode, status, attemptsRemaining,
 * retryAfter, …}` (RFC 9457 as the service writes it), whatever came or did not come back.
 * `ahead` is by how many milliseconds the backend's clock is ahead of this one.
 */
export async function post(url, body) {
  let response;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    return { ok: false, problem: { errorCode: "UNREACHABLE", status: 0 } };
  }
  const answer = await response.json().catch(() => null);
  const object = answer !== null && typeof answer === "object" ? answer : {};
  if (response.ok && answer !== null) return { ok: true, body: object, ahead: ahead(response) };
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

function ahead(response) {
  const theirs = Date.parse(response.headers.get("date") ?? "");
  const difference = theirs - Date.now();
  // An answer that took its time looks like a clock that is a little behind.
  return Math.abs(difference) > CLOCKS_AGREE_MS ? difference : 0;
}
