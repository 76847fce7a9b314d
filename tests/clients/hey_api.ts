// Verifies a number with the client that @hey-api/openapi-ts makes of `openapi.yaml`.
//
//   node hey_api.js API KEY KEY_OF_A_SPENT_PLAN SANDBOX NUMBER
//
// Prints rows of [step, answer] as JSON. `tests/e2e/test_typed_clients.py` checks its types and runs it.

import { otpStatus, requestOtp, verifyOtp } from "./hey";
import { createClient } from "./hey/client";
import type { Problem } from "./hey";
import { code, printed, refusal, run, waits } from "./steps";

const calling = (baseUrl: string, key: string) => createClient({ baseUrl, auth: key });

run(async (api, key, spent, sandbox, number) => {
  const client = calling(api, key);
  const body = { phoneNumber: number };
  const requested = await requestOtp({ client, body });
  if (!requested.data) throw new Error(refusal(requested.error));
  const verificationId: string = requested.data.verificationId;
  const right = await code(sandbox, number);
  const wrong = right === "111111" ? "222222" : "111111";
  const again = await requestOtp({ client, body });
  const incorrect = await verifyOtp({ client, body: { verificationId, otp: wrong } });
  const unnamed = await verifyOtp({ client, body: { otp: right } });
  const unknown = await verifyOtp({ client, body: { verificationId: "unknown", otp: right } });
  const verified = await verifyOtp({ client, body: { verificationId, otp: right } });
  const status = await otpStatus({ client, body: { verificationId } });
  const refused = await requestOtp({ client: calling(api, "a-key-that-opens-nothing"), body });
  const throttled = await requestOtp({ client: calling(api, spent), body });
  const error: Problem | undefined = throttled.error;
  printed([
    ["a code", requested.data.channel],
    ["another at once", refusal(again.error)],
    ["it says when", waits(again.error)],
    ["a wrong code", refusal(incorrect.error)],
    ["no verification named", refusal(unnamed.error)],
    ["one that is unknown", refusal(unknown.error)],
    ["the right code", verified.data?.phoneNumber],
    ["its status", status.data?.status],
    ["a wrong key", refusal(refused.error)],
    ["a plan that is spent", refusal(error)],
    ["it says when too", waits(error)],
  ]);
});

// Never called. A line that is no error under such a comment is one.
export const refusedByTheTypes = () => [
  // @ts-expect-error a body has a type
  verifyOtp({ body: "otp" }),
  // @ts-expect-error a code is a string
  verifyOtp({ body: { otp: 123456 } }),
  // @ts-expect-error a code is required
  verifyOtp({ body: { verificationId: "x" } }),
  // @ts-expect-error a channel is one of a list
  requestOtp({ body: { phoneNumber: "+14155550123", channel: "fax" } }),
];
