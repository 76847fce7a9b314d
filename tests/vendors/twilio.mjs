// Calls Twilio's client for Node as each line of the input says, and prints the answer or the error.
import { createInterface } from "node:readline";
import twilio from "twilio";

const client = twilio(process.env.ACCOUNT, process.env.TOKEN);
client.verify.baseUrl = process.env.BASE_URL;
const service = client.verify.v2.services(process.env.SERVICE);

const calls = {
  start: (to, channel) => service.verifications.create({ to, channel }),
  check: (named) => service.verificationChecks.create(named),
  fetch: (name) => service.verifications(name).fetch(),
  cancel: (name) => service.verifications(name).update({ status: "canceled" }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { call, values } = JSON.parse(line);
  let outcome;
  try {
    outcome = { answer: { ...(await calls[call](...values)).toJSON() } };
  } catch (error) {
    outcome = { error: { kind: error.constructor.name, status: error.status, code: error.code, moreInfo: error.moreInfo } };
  }
  console.log(JSON.stringify(outcome));
}
