// Verifies a number with openapi-fetch and the types that openapi-typescript makes of `openapi.yaml`.
//
//   node openapi_fetch.js API KEY KEY_OF_A_SPENT_PLAN SANDBOX NUMBER
//
// Prints rows of [step, answer] as JSON. `tests/e2e/test_typed_clients.py` checks its types and runs it.

import createClient from "openapi-fetch";

import type { components, paths } from "./schema";
import { code, printed, refusal, run, waits } from "./steps";

type Problem = components["schemas"]["Problem"];

const calling = (api: string, key: string) =>
  createClient<paths>({ baseUrl: api, headers: { "x-api-key": key } });

run(async (api, key, spent, sandbox, number) => {
  const client = calling(api, key);
  const body = { phoneNumber: number };
  const requested = await client.POST("/request-otp", { body });
  if (!requested.data) throw new Error(refusal(requested.error));
  const verificationId: string = requested.data.verificationId;
  const right = await code(sandbox, number);
  const wrong = right === "111111" ? "222222" : "111111";
  const again = await client.POST("/request-otp", { body });
  const incorrect = await client.POST("/verify-otp", { body: { verificationId, otp: wrong } });
  const unnamed = await client.POST("/verify-otp", { body: { otp: right } });
  const unknown = await client.POST("/verify-otp", { body: { verificationId: "unknown", otp: right } });
  const verified = await client.POST("/verify-otp", { body: { verificationId, otp: right } });
  const status = await client.POST("/otp-status", { body: { verificationId } });
  const refused = await calling(api, "a-key-that-opens-nothing").POST("/request-otp", { body });
  const throttled = await calling(api, spent).POST("/request-otp", { body });
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
export const refusedByTheTypes = (client: ReturnType<typeof calling>) => [
  // @ts-expect-error a body has a type
  client.POST("/verify-otp", { body: "otp" }),
  // @ts-expect-error a code is a string
  client.POST("/verify-otp", { body: { otp: 123456 } }),
  // @ts-expect-error a code is required
  client.POST("/verify-otp", { body: { verificationId: "x" } }),
  // @ts-expect-error a channel is one of a list
  client.POST("/request-otp", { body: { phoneNumber: "+14155550123", channel: "fax" } }),
];
