// Sign-in, sign-up and password reset by phone with better-auth; the phone-verification service checks the codes.

import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import { phoneNumber } from "better-auth/plugins";
import { otpService } from "./otp-service.mjs";

const { OTP_API_URL, OTP_API_KEY, HOST = "127.0.0.1", PORT = "8000", INSECURE_COOKIE } = process.env;
if (!OTP_API_URL || !OTP_API_KEY) throw new Error("OTP_API_URL and OTP_API_KEY are needed");

// Holds the user's address; this server sets it, callers cannot.
const CLIENT_IP = "x-client-ip";

const auth = betterAuth({
  baseURL: `http://${HOST}:${PORT}`,
  // In memory, users and sessions end with the process; in production, use a database and a fixed secret.
  secret: randomBytes(32).toString("hex"),
  database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
  advanced: { useSecureCookies: INSECURE_COOKIE !== "true", ipAddress: { ipAddressHeaders: [CLIENT_IP] } },
  emailAndPassword: { enabled: true },
  plugins: [
    phoneNumber({
      ...otpService({
        url: OTP_API_URL,
        apiKey: OTP_API_KEY,
        clientIp: (request) => request?.headers.get(CLIENT_IP) ?? undefined,
      }),
      requireVerification: true,
      // better-auth requires an e-mail address for every user; this one is reserved and undeliverable (RFC 2606).
      signUpOnVerification: { getTempEmail: (number) => `${number.slice(1)}@phone.invalid` },
    }),
  ],
});

const handle = toNodeHandler(auth);
createServer((req, res) => {
  // Behind a proxy, use the address that the proxy reports.
  req.headers[CLIENT_IP] = req.socket.remoteAddress;
  handle(req, res);
}).listen(Number(PORT), HOST);
