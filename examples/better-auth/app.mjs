// Sign-in, sign-up and a new password by phone with better-auth, whose codes the phone-verification service checks.

import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import { phoneNumber } from "better-auth/plugins";
import { otpService } from "./otp-service.mjs";

const { OTP_API_URL, OTP_API_KEY, HOST = "127.0.0.1", PORT = "8000", INSECURE_COOKIE } = process.env;
if (!OTP_API_URL || !OTP_API_KEY) throw new Error("OTP_API_URL and OTP_API_KEY are needed");

// The user's address, in a header that this server sets and no caller can.
const CLIENT_IP = "x-client-ip";

const auth = betterAuth({
  baseURL: `http://${HOST}:${PORT}`,
  // In memory, users and sessions end with the process; in earnest, give them a database, and a secret that stays.
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
      // better-auth needs an e-mail address of every user; this one belongs to nobody (RFC 2606).
      signUpOnVerification: { getTempEmail: (number) => `${number.slice(1)}@phone.invalid` },
    }),
  ],
});

const handle = toNodeHandler(auth);
createServer((req, res) => {
  // Behind a proxy, take the address that the proxy saw.
  req.headers[CLIENT_IP] = req.socket.remoteAddress;
  handle(req, res);
}).listen(Number(PORT), HOST);
