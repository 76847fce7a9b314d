// Sign-up with a verified phone: the backend between a browser and the phone-verification service.
//
// The API key, the verificationId and the verified number stay here. The browser holds cookies that scripts
// cannot read, so a code can only be verified in the browser that requested it.

import { createHash, randomBytes, randomInt, randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { createChallenge, verifySolution } from "altcha-lib";
import { deriveKey } from "altcha-lib/algorithms/pbkdf2";
import express from "express";
import session from "express-session";

const { OTP_API_URL, OTP_API_KEY, HOST = "127.0.0.1", PORT = "8000", INSECURE_COOKIE } = process.env;
if (!OTP_API_URL || !OTP_API_KEY) throw new Error("OTP_API_URL and OTP_API_KEY are needed");

const SECURE = INSECURE_COOKIE !== "true";
const SESSION_COOKIE = "session";
const DEVICE_COOKIE = "device";
const DEVICE_MS = 90 * 24 * 3600 * 1000;
const REPEAT_MS = 120_000;
const CHALLENGE_MS = 600_000;
const CHALLENGE_ITERATIONS = 2000;
// About half a second on one processor.
const CHALLENGE_TRIES = [150, 350];
// Signs challenges. Several processes must share the key, and the store of accepted solutions.
const CHALLENGE_KEY = randomBytes(32).toString("hex");
const UNAVAILABLE = "This does not work just now. Please try again in a minute.";

// The sentence for the user, by errorCode. Every other code is a fault of this backend, and is logged.
const WORDS = new Map([
  ["INVALID_PHONE_NUMBER", "Please check the number. It begins with + and the country's code."],
  ["DESTINATION_NOT_ALLOWED", "We cannot send codes to this number. Please use another one."],
  ["PROVIDER_REJECTED", "This number cannot receive our codes. Please use another one."],
  ["NUMBER_DISABLED", "This number is blocked after too many incorrect codes. Please contact us."],
  ["CHALLENGE_REQUIRED", "Please confirm that you are a person."],
  ["INVALID_OTP_FORMAT", "The code has only digits. Please type it as it is in the message."],
  ["OTP_INCORRECT", "This code is incorrect."],
  ["OTP_EXPIRED", "This code has expired. Please request a new one."],
  ["ALREADY_VERIFIED", "This code has been used already. Please request a new one."],
  ["VERIFICATION_CANCELLED", "This code is no longer valid. Please request a new one."],
  ["VERIFICATION_NOT_FOUND", "Please request a code first."],
  ["TOO_MANY_ATTEMPTS", "Too many incorrect codes. Please request a new one."],
  ["RATE_LIMITED", "Please wait a little before you request another code."],
  ["NUMBER_LOCKED", "Too many incorrect codes. Please wait a little before you try again."],
  ["REQUEST_IN_PROGRESS", "Your code is being sent."],
  ["IDEMPOTENCY_KEY_REUSED", "Please try that again."],
  ["PROVIDER_UNAVAILABLE", UNAVAILABLE],
  ["SENDING_STOPPED", UNAVAILABLE],
  ["PHONE_NOT_VERIFIED", "Please verify your phone first."],
  ["INVALID_REQUEST", "Please fill in the form."],
  ["CROSS_SITE", "Please use the form on our own page."],
]);

// Error codes after which the session's verification can no longer succeed.
const OVER = [
  "OTP_EXPIRED",
  "TOO_MANY_ATTEMPTS",
  "VERIFICATION_CANCELLED",
  "VERIFICATION_NOT_FOUND",
  "ALREADY_VERIFIED",
];

class Refused extends Error {
  constructor(status, errorCode, more = {}) {
    super(errorCode);
    this.status = status;
    this.body = { status, errorCode, detail: WORDS.get(errorCode) ?? UNAVAILABLE, ...more };
  }
}

// The service's 200; throws for any other answer. The service answers within 29 seconds.
async function ask(req, path, fields, solution) {
  // Bound to the session, so that users cannot share a key.
  const key = sha256(req.session.binding, req.click);
  // A challenge is good only for this session's request for this number or verification.
  const purpose = sha256(req.session.binding, path, fields.phoneNumber ?? fields.verificationId);
  const body = (await challengePassed(solution, purpose, key)) ? { ...fields, challenged: true } : fields;
  const headers = { "x-api-key": OTP_API_KEY, "content-type": "application/json", "idempotency-key": key };
  const signal = AbortSignal.timeout(30_000);
  let answer, received;
  try {
    answer = await fetch(OTP_API_URL + path, { method: "POST", headers, body: JSON.stringify(body), redirect: "error", signal });
    received = await answer.json();
  } catch {
    // No answer, or not JSON: received is undefined.
  }
  if (answer?.status === 200 && received) {
    delete req.session.challengeFor;
    return received;
  }
  if (!WORDS.has(received?.errorCode)) {
    // A fault of this backend, such as a wrong API key. The body is not logged: it has the number or the code.
    console.error(`${path}: ${answer?.status ?? "no answer"} ${received?.errorCode ?? ""}`);
    throw new Refused(503, "SERVICE_UNAVAILABLE");
  }
  const { errorCode, retryAfter, attemptsRemaining } = received;
  if (errorCode === "CHALLENGE_REQUIRED") req.session.challengeFor = purpose;
  if (OVER.includes(errorCode) || attemptsRemaining === 0) delete req.session.pending;
  throw new Refused(answer.status, errorCode, { retryAfter, attemptsRemaining });
}

const sha256 = (...parts) => createHash("sha256").update(parts.join(" ")).digest("hex");

function cookie(req, name) {
  const found = (req.get("Cookie") ?? "").split("; ").find((each) => each.startsWith(`${name}=`));
  return found && decodeURIComponent(found.slice(name.length + 1));
}

// The device token of an earlier verification in this browser, by which the service recognizes the user.
function device(req) {
  const deviceToken = cookie(req, DEVICE_COOKIE);
  return deviceToken ? { deviceToken } : {};
}

// Whether it solves a challenge made for this purpose, in time and for the first time. Repeats of the same click are
// accepted: its answer may be lost, and its Idempotency-Key prevents a second code.
async function challengePassed(solved, purpose, click) {
  if (typeof solved !== "string") return false;
  let challenge;
  try {
    const { solution, ...payload } = JSON.parse(Buffer.from(solved, "base64").toString());
    challenge = payload.challenge;
    const verified = await verifySolution({ challenge, solution, deriveKey, hmacSignatureSecret: CHALLENGE_KEY });
    if (!verified.verified || challenge.parameters.data?.purpose !== purpose) return false;
  } catch {
    return false; // not written by ALTCHA's widget
  }
  for (const [each, { expiresAt }] of taken) if (expiresAt * 1000 < Date.now()) taken.delete(each);
  // The signature identifies a challenge however its JSON is written.
  const { signature } = challenge;
  if (!taken.has(signature)) taken.set(signature, { click, expiresAt: challenge.parameters.expiresAt });
  return taken.get(signature).click === click;
}

// The ids of this session's verification.
function held({ verificationId, binding }) {
  if (!verificationId) throw new Refused(404, "VERIFICATION_NOT_FOUND");
  return { verificationId, sessionId: binding };
}

function text(value) {
  if (typeof value !== "string" || value === "") throw new Refused(400, "INVALID_REQUEST");
  return value;
}

// A sent code: the state from which a reloaded form resumes.
function pending(phoneNumber, { channel, expiresAt, resendAfter }) {
  return { phoneNumber, channel, expiresAt, resendAt: performance.now() + resendAfter * 1000 };
}

// Fields of an answer that the page gets; the verificationId stays here.
const shown = ({ channel, expiresAt, resendAfter, sameCode }) => ({ channel, expiresAt, resendAfter, sameCode });

const users = [];
// Successful verifications, in case their answer is lost: the session of each, and until when it is kept.
const repeats = new Map();
// Solved challenges: the click that each was accepted for, and when it expires.
const taken = new Map();
const app = express();
app.disable("x-powered-by");
// Trusts a proxy on this machine for the user's address; name yours if it is elsewhere.
app.set("trust proxy", "loopback");

const folder = (path) => fileURLToPath(new URL(path, import.meta.url));
app.get("/", (_req, res) => {
  res.set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'");
  res.set("Cache-Control", "no-store");
  res.sendFile(folder("../page/index.html"));
});
app.use("/page", express.static(folder("../page")));
app.use("/otp-form", express.static(folder("../../web/otp-form")));
app.use("/altcha", express.static(folder("../altcha/node_modules/altcha/dist")));

// Browsers send the Origin of a request, and no page can change it.
app.use((req, _res, next) => {
  const site = req.get("Sec-Fetch-Site") ?? "none";
  if (req.method === "POST" && !["same-origin", "none"].includes(site)) throw new Refused(403, "CROSS_SITE");
  next();
});
app.use(express.json());
app.use(
  session({
    name: SESSION_COOKIE,
    // In memory, sessions end with the process; in production, use a store and a fixed secret.
    secret: randomBytes(32).toString("hex"),
    resave: false,
    saveUninitialized: false,
    cookie: { httpOnly: true, sameSite: "strict", secure: SECURE },
  }),
);
app.use((req, _res, next) => {
  req.body ??= {};
  // The page makes one for each click, so that a repeated request sends no second code.
  req.click = req.get("Idempotency-Key") ?? randomUUID();
  // The API's sessionId: bound to the cookie, but distinct from it.
  req.session.binding ??= randomUUID();
  next();
});

// The user's step, so that a reloaded page resumes there.
app.get("/session", (req, res) => {
  res.set("Cache-Control", "no-store");
  const { pending: sent, phone } = req.session;
  if (!sent) return res.json({ step: phone ? "done" : "number" });
  const { resendAt, ...rest } = sent;
  res.json({ step: "code", ...rest, resendAfter: Math.max(0, Math.ceil((resendAt - performance.now()) / 1000)) });
});

// A proof of work for the refused request, so that a solution is good for one code.
app.get("/challenge", async (req, res) => {
  const { challengeFor } = req.session;
  if (!challengeFor) throw new Refused(404, "VERIFICATION_NOT_FOUND");
  res.set("Cache-Control", "no-store");
  const challenge = await createChallenge({
    algorithm: "PBKDF2/SHA-256",
    cost: CHALLENGE_ITERATIONS,
    counter: randomInt(...CHALLENGE_TRIES),
    expiresAt: new Date(Date.now() + CHALLENGE_MS),
    data: { purpose: challengeFor },
    deriveKey,
    hmacSignatureSecret: CHALLENGE_KEY,
  });
  res.json(challenge);
});

// The first code, by the user's channel.
app.post("/request-code", async (req, res) => {
  const { channel, locale, challenge } = req.body;
  const phoneNumber = text(req.body.phoneNumber);
  const mine = { purpose: "sign-up", sessionId: req.session.binding, clientIp: req.ip };
  const body = { phoneNumber, channel, locale, ...mine, ...device(req) };
  const answer = await ask(req, "/request-otp", body, challenge);
  req.session.verificationId = answer.verificationId;
  req.session.pending = pending(phoneNumber, answer);
  res.json(shown(answer));
});

// Another code for the session's verification.
app.post("/resend-code", async (req, res) => {
  const { channel, challenge } = req.body;
  const body = { ...held(req.session), channel, ...device(req) };
  const answer = await ask(req, "/resend-otp", body, challenge);
  if (req.session.pending) req.session.pending = pending(req.session.pending.phoneNumber, answer);
  res.json(shown(answer));
});

// The verified number comes from the service, which alone knows where it sent the code.
app.post("/verify-code", async (req, res) => {
  const otp = text(req.body.otp);
  // A page whose answer was lost repeats the click. Only that page knows its key.
  const key = sha256(cookie(req, SESSION_COOKIE) ?? "", req.click, otp);
  let verified = await repeated(req, repeats.get(key));
  if (!verified) {
    const answer = await ask(req, "/verify-otp", { ...held(req.session), otp, ...device(req) });
    verified = { phone: answer.phoneNumber, device: answer.deviceToken, until: performance.now() + REPEAT_MS };
  }
  // A session id known before (fixation) must not become verified.
  await new Promise((go, stop) => req.session.regenerate((error) => (error ? stop(error) : go())));
  req.session.phone = verified.phone;
  for (const [each, { until }] of repeats) if (until < performance.now()) repeats.delete(each);
  repeats.set(key, { ...verified, name: req.sessionID });
  if (verified.device) {
    res.cookie(DEVICE_COOKIE, verified.device, { httpOnly: true, sameSite: "strict", secure: SECURE, maxAge: DEVICE_MS });
  }
  res.json({ verified: true });
});

// The verification to repeat, taken from the session of its lost answer; null if that was used already.
async function repeated(req, repeat) {
  if (!repeat || performance.now() > repeat.until) return null;
  const led = await new Promise((go) => req.sessionStore.get(repeat.name, (_error, found) => go(found)));
  if (!led?.phone) return null;
  req.sessionStore.destroy(repeat.name);
  return repeat;
}

// An account for the phone that this session verified.
app.post("/sign-up", (req, res) => {
  const { phone } = req.session;
  if (!phone) throw new Refused(403, "PHONE_NOT_VERIFIED");
  const user = { name: text(req.body.name), phoneNumber: phone };
  users.push(user);
  delete req.session.phone; // one verification, one account
  res.json(user);
});

// Problem details (RFC 9457). Any error other than a refusal is a fault, whose text is not sent.
app.use((error, _req, res, _next) => {
  // Express refuses a body that is not JSON, is too large, or has an unknown encoding.
  const malformed = error.status >= 400 && error.status < 500;
  const refused = error instanceof Refused ? error : new Refused(malformed ? 400 : 500, malformed ? "INVALID_REQUEST" : "");
  res.status(refused.status).type("application/problem+json").send(JSON.stringify(refused.body));
});

app.listen(Number(PORT), HOST);
