// Shared by the programs of both TypeScript clients.

import type { components } from "./schema";

type Problem = components["schemas"]["Problem"];
type Row = [step: string, answer: string | boolean | undefined];

/** `400 INVALID_REQUEST /phoneNumber`, `400 OTP_INCORRECT 4`. */
export function refusal(problem: Problem | undefined): string {
  if (!problem) return "no problem";
  const places = (problem.errors ?? []).map((each) => each.pointer);
  return [problem.status, problem.errorCode, problem.attemptsRemaining, ...places]
    .filter((word) => word !== undefined)
    .join(" ");
}

/** Whether an error says when to retry. */
export const waits = (problem: Problem | undefined): boolean => problem?.retryAfter !== undefined;

/** The newest code that the phone got. */
export async function code(sandbox: string, number: string): Promise<string> {
  const answer = await fetch(`${sandbox}/inbox?to=${encodeURIComponent(number)}`);
  const messages = (await answer.json()) as { code: string }[];
  if (!messages[0]) throw new Error("nothing arrived");
  return messages[0].code;
}

export const printed = (rows: Row[]): void => console.log(JSON.stringify(rows));

/** Calls `main` with the arguments of the program: API, KEY, KEY_OF_A_SPENT_PLAN, SANDBOX and NUMBER. */
export function run(
  main: (api: string, key: string, spent: string, sandbox: string, number: string) => Promise<void>,
): void {
  const [api = "", key = "", spent = "", sandbox = "", number = ""] = process.argv.slice(2);
  void main(api, key, spent, sandbox, number);
}
