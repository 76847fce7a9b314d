// Sign-up with a verified phone: what stands between a browser and the phone-verification service.
//
// The API key, the verificationId and the word on who is verified stay here. The browser holds a cookie
// that it cannot read, so a code can be asked for and typed in one browser only.

import { createHash, randomBytes, randomUUID } from "node:crypto";
import express from "express";
import session from "express-session";

const { OTP_API_URL, OTP_API_KEY, HOST = "127.0.0.1", PORT = "8000", INSECURE_COOKIE } = process.env;
if (!OTP_API_URL || !OTP_API_KEY) throw new Error("OTP_API_URL and OTP_API_KEY are needed");

const UNAVAILABLE = "This does not work just now. Please try again in a minute.";

// What users are told, by errorCode. Whatever is not here is a fault of ours, and told as one.
const WORDS = new Map([
  ["INVALID_PHONE_NUMBER", "Please check the number. It begins with + and the country's code."],
  ["DESTINATION_NOT_ALLOWED", "We cannot send codes to this number. Please use another one."],
  ["PROVIDER_REJECTED", "This number cannot receive our codes. Please use another one."],
  ["INVALID_OTP_FORMAT", "The code has only digits. Please type it as it is in the message."],
  ["OTP_INCORRECT", "This code is not right."],
  ["OTP_EXPIRED", "This code is too old. Please ask for a new one."],
  ["ALREADY_VERIFIED", "This code was used already. Please ask for a new one."],
  ["VERIFICATION_CANCELLED", "This code cannot be used any more. Please ask for a new one."],
  ["VERIFICATION_NOT_FOUND", "Please ask for a code first."],
  ["TOO_MANY_ATTEMPTS", "That was too often. Please ask for a new code."],
  ["RATE_LIMITED", "Please wait a little before you ask for another code."],
  ["NUMBER_LOCKED", "That was too often. Please wait a little before you try again."],
  ["REQUEST_IN_PROGRESS", "Your code is being sent."],
  ["PROVIDER_UNAVAILABLE", UNAVAILABLE],
  ["PHONE_NOT_VERIFIED", "Please verify your phone first."],
  ["INVALID_REQUEST", "Please fill in the form."],
  ["CROSS_SITE", "Please use the form on our own page."],
]);

class Refused extends Error {
  constructor(status, errorCode, more = {}) {
    super(errorCode);
    this.status = status;
    this.body = { status, errorCode, detail: WORDS.get(errorCode) ?? UNAVAILABLE, ...more };
  }
}

// The service's 200. Anything else is not success. It answers within 29 seconds.
async function ask(path, body, headers = {}) {
  let answer, told;
  try {
    answer = await fetch(OTP_API_URL + path, {
      method: "POST",
      headers: { "x-api-key": OTP_API_KEY, "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
      redirect: "error",
      signal: AbortSignal.timeout(30_000),
    });
    told = await answer.json();
  } catch {
    // No answer, or none of the service's: told is undefined.
  }
  if (answer?.status === 200 && told) return told;
  if (!WORDS.has(told?.errorCode)) {
    // Ours to mend, such as a wrong API key. Nothing of the body, which has the number or the code.
    console.error(`${path}: ${answer?.status ?? "no answer"} ${told?.errorCode ?? ""}`);
    throw new Refused(503, "SERVICE_UNAVAILABLE");
  }
  const { retryAfter, attemptsRemaining } = told;
  throw new Refused(answer.status, told.errorCode, { retryAfter, attemptsRemaining });
}

// What names this session's verification to the service.
function held({ verificationId, binding }) {
  if (!verificationId) throw new Refused(404, "VERIFICATION_NOT_FOUND");
  return { verificationId, sessionId: binding };
}

function text(value) {
  if (typeof value !== "string" || value === "") throw new Refused(400, "INVALID_REQUEST");
  return value;
}

// What the page needs of an answer. Not the verificationId.
const shown = ({ channel, expiresAt, resendAfter }) => ({ channel, expiresAt, resendAfter });

const users = [];
const app = express();
app.disable("x-powered-by");
// A proxy on this machine is believed about the user's address; name yours where it is on another.
app.set("trust proxy", "loopback");
// Browsers say which site a request comes from, and no page can change that.
app.use((req, _res, next) => {
  if (!["same-origin", "none"].includes(req.get("Sec-Fetch-Site") ?? "none")) throw new Refused(403, "CROSS_SITE");
  next();
});
app.use(express.json());
app.use(
  session({
    // In memory, sessions end with the process; in earnest, give them a store, and a secret that stays.
    secret: randomBytes(32).toString("hex"),
    resave: false,
    saveUninitialized: false,
    cookie: { httpOnly: true, sameSite: "strict", secure: INSECURE_COOKIE !== "true" },
  }),
);
app.use((req, _res, next) => {
  req.body ??= {};
  next();
});

// The page makes up a key for each click, so that a repetition of its request sends no second code.
app.post("/request-code", async (req, res) => {
  // The API's sessionId: bound to the cookie, and not the cookie itself.
  const binding = (req.session.binding ??= randomUUID());
  const click = req.get("Idempotency-Key") ?? randomUUID();
  const key = createHash("sha256").update(`${binding} ${click}`).digest("hex");
  const { phoneNumber, channel, locale } = req.body;
  const mine = { purpose: "sign-up", sessionId: binding, clientIp: req.ip };
  const asked = { phoneNumber: text(phoneNumber), channel, locale, ...mine };
  const answer = await ask("/request-otp", asked, { "Idempotency-Key": key });
  req.session.verificationId = answer.verificationId;
  res.json(shown(answer));
});

// The same verification goes on.
app.post("/resend-code", async (req, res) => {
  res.json(shown(await ask("/resend-otp", { ...held(req.session), channel: req.body.channel })));
});

// The number is the one that the service names, for it alone knows where the code went.
app.post("/verify-code", async (req, res, next) => {
  const { phoneNumber } = await ask("/verify-otp", { ...held(req.session), otp: text(req.body.otp) });
  // Whoever knew the session's name before must not hold a verified one.
  req.session.regenerate((error) => {
    if (error) return next(error);
    req.session.phone = phoneNumber;
    res.json({ verified: true });
  });
});

// An account for a phone that this session has verified.
app.post("/sign-up", (req, res) => {
  const { phone } = req.session;
  if (!phone) throw new Refused(403, "PHONE_NOT_VERIFIED");
  const user = { name: text(req.body.name), phoneNumber: phone };
  users.push(user);
  delete req.session.phone; // one verification, one account
  res.json(user);
});

// As problem details (RFC 9457). What is no refusal is told as a fault, and its text to nobody.
app.use((error, _req, res, _next) => {
  // What Express says of a body: no JSON, too large, an encoding that it does not know.
  const malformed = error.status >= 400 && error.status < 500;
  const refused = error instanceof Refused ? error : new Refused(malformed ? 400 : 500, malformed ? "INVALID_REQUEST" : "");
  res.status(refused.status).type("application/problem+json").send(JSON.stringify(refused.body));
});

app.listen(Number(PORT), HOST);
