// Options of better-auth's phone-number plugin with which the phone-verification service makes, sends and checks
// the codes. The code that better-auth generates is neither sent nor accepted.
//
// A cookie that scripts cannot read binds a verification to the browser. The verificationId is stored in
// better-auth's verification table, under the cookie's value, the number and the code's purpose.

import { randomBytes } from "node:crypto";
import { APIError } from "better-auth/api";

// Error codes after which the user may try a code again.
const WRONG = new Set(["OTP_INCORRECT", "INVALID_OTP_FORMAT"]);
// Error codes that end the verification: the next request starts a new one.
const OVER = new Set([
  "VERIFICATION_NOT_FOUND",
  "VERIFICATION_CANCELLED",
  "OTP_EXPIRED",
  "ALREADY_VERIFIED",
  "TOO_MANY_ATTEMPTS",
]);
// Errors that users can act on. Any other is a fault of this backend: one sentence, and a log line.
const WORDS = new Map([
  ["INVALID_PHONE_NUMBER", "Please check the number. It begins with + and the country's code."],
  ["DESTINATION_NOT_ALLOWED", "We cannot send codes to this number. Please use another one."],
  ["PROVIDER_REJECTED", "This number cannot receive our codes. Please use another one."],
  ["OTP_EXPIRED", "This code has expired. Please request a new one."],
  ["ALREADY_VERIFIED", "This code was used already. Please request a new one."],
  ["VERIFICATION_CANCELLED", "This code cannot be used any more. Please request a new one."],
  ["VERIFICATION_NOT_FOUND", "Please request a code first."],
  ["TOO_MANY_ATTEMPTS", "Too many incorrect codes. Please request a new one."],
  ["RATE_LIMITED", "Please wait a little before you request another code."],
  ["NUMBER_LOCKED", "Too many incorrect codes. Please wait a little before you try again."],
]);
const UNAVAILABLE = "This does not work just now. Please try again in a minute.";
const COOKIE_SECONDS = 3600;

export function otpService({ url, apiKey, clientIp }) {
  return {
    sendOTP: send,
    sendPasswordResetOTP: send,
    verifyOTP: verify,
    // The service verifies the canonical number, and better-auth looks users up by the typed one.
    phoneNumberValidator: (number) => /^\+[1-9][0-9]{4,14}$/.test(number),
  };

  async function send({ phoneNumber }, ctx) {
    const binding = (await bindingOf(ctx)) ?? (await bind(ctx));
    const key = keyOf(binding, phoneNumber, ctx);
    const store = ctx.context.internalAdapter;
    const pending = await store.findVerificationValue(key);
    let answer = pending && (await resend(pending.value, binding));
    answer ||= await call("/request-otp", {
      phoneNumber,
      purpose: purposeOf(ctx),
      sessionId: binding,
      clientIp: clientIp(ctx.request),
    });
    await store.deleteVerificationByIdentifier(key);
    await store.createVerificationValue({
      identifier: key,
      value: answer.verificationId,
      expiresAt: new Date(answer.expiresAt),
    });
  }

  // Undefined if the verification is over.
  async function resend(verificationId, sessionId) {
    try {
      return await call("/resend-otp", { verificationId, sessionId });
    } catch (error) {
      if (OVER.has(error.body?.code)) return undefined;
      throw error;
    }
  }

  async function verify({ phoneNumber, code }, ctx) {
    const binding = await bindingOf(ctx);
    if (!binding) return false;
    const key = keyOf(binding, phoneNumber, ctx);
    const store = ctx.context.internalAdapter;
    const pending = await store.findVerificationValue(key);
    if (!pending) return false;
    try {
      const body = { verificationId: pending.value, sessionId: binding, otp: code };
      const verified = await call("/verify-otp", body);
      await store.deleteVerificationByIdentifier(key);
      return verified.phoneNumber === phoneNumber;
    } catch (error) {
      if (WRONG.has(error.body?.code)) return false;
      throw error;
    }
  }

  // The service's 200; throws for any other answer. The service answers within 29 seconds.
  async function call(path, body) {
    let response, answer;
    try {
      response = await fetch(url + path, {
        method: "POST",
        headers: { "x-api-key": apiKey, "content-type": "application/json" },
        body: JSON.stringify(body),
        redirect: "error",
        signal: AbortSignal.timeout(30_000),
      });
      answer = await response.json();
    } catch {
      // No answer, or not JSON: `answer` is undefined.
    }
    if (response?.status === 200 && answer) return answer;
    const code = answer?.errorCode;
    if (!WORDS.has(code) && !WRONG.has(code)) {
      // The body is not logged: it has the number or the code.
      console.error(`${path}: ${response?.status ?? "no answer"} ${code ?? ""}`);
      throw new APIError(503, { code: "SERVICE_UNAVAILABLE", message: UNAVAILABLE });
    }
    throw new APIError(response.status, { code, message: WORDS.get(code), retryAfter: answer.retryAfter });
  }
}

// A code for a password reset cannot sign in, and a sign-in code cannot reset a password.
const purposeOf = (ctx) => (ctx.path.endsWith("password-reset") || ctx.path.endsWith("reset-password") ? "reset-password" : "sign-in");

const keyOf = (binding, phoneNumber, ctx) => `otp:${purposeOf(ctx)}:${binding}:${phoneNumber}`;

const cookieOf = (ctx) => ctx.context.createAuthCookie("otp", { maxAge: COOKIE_SECONDS, sameSite: "strict" });

const bindingOf = (ctx) => ctx.getSignedCookie(cookieOf(ctx).name, ctx.context.secret);

async function bind(ctx) {
  const { name, attributes } = cookieOf(ctx);
  const binding = randomBytes(24).toString("base64url");
  await ctx.setSignedCookie(name, binding, ctx.context.secret, attributes);
  return binding;
}
