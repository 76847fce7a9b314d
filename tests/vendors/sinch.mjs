// Drives @sinch/verification against the sandbox; prints one [operation, result] in JSON for each call.
// Arguments: where node_modules is, the sandbox's URL, the application's key and secret, a number, and
// callbacks that the sandbox signed, in JSON.
import { createRequire } from "node:module";

const [modules, sandbox, applicationKey, applicationSecret, endpoint, callbacks] = process.argv.slice(2);
const { VerificationService, VerificationCallbackWebhooks } = createRequire(modules)("@sinch/verification");
const account = { applicationKey, applicationSecret, verificationHostname: `${sandbox}/sinch` };
const { verifications, verificationStatus } = new VerificationService(account);
const identity = { type: "number", endpoint };

const results = [];
const record = (operation, result) => results.push([operation, String(result)]);

const code = async () => {
  const messages = await (await fetch(`${sandbox}/inbox?to=${encodeURIComponent(endpoint)}`)).json();
  return messages[0].code;
};
const other = (right) => String((Number(right) + 1) % 10 ** right.length).padStart(right.length, "0");
const failure = async (act) => {
  try {
    await act();
    return "none";
  } catch (error) {
    return JSON.parse(error.data).errorCode;
  }
};

const sms = await verifications.startSms({
  startVerificationWithSmsRequestBody: { identity, reference: "by-node", smsOptions: { codeType: "Numeric" } },
});
record("start by SMS", sms.sms.codeType);
record("status by reference", (await verificationStatus.getByReference({ reference: "by-node" })).status);
record("status by identity", (await verificationStatus.getByIdentity({ endpoint, method: "sms" })).status);
const right = await code();
const report = (given) =>
  verifications.reportSmsById({
    id: sms.id,
    reportSmsVerificationByIdRequestBody: { sms: { code: given } },
  });
record("wrong code", await failure(() => report(other(right))));
record("right code by id", (await report(right)).status);
const status = await verificationStatus.getById({ id: sms.id });
record("status by id", `${status.status} ${status.source} ${status.countryId}`);

await verifications.startPhoneCall({ startVerificationWithPhoneCallRequestBody: { identity } });
const called = await verifications.reportPhoneCallByIdentity({
  endpoint,
  reportPhoneCallVerificationByIdentityRequestBody: { phoneCall: { code: await code() } },
});
record("start by callout, right code by identity", called.status);

const whatsapp = await verifications.startWhatsApp({
  startVerificationWithWhatsAppRequestBody: { identity, whatsappOptions: { codeType: "Numeric" } },
});
record("start by WhatsApp", whatsapp.whatsapp.codeType);
const read = await verifications.reportWhatsAppById({
  id: whatsapp.id,
  reportWhatsAppVerificationByIdRequestBody: { whatsapp: { code: await code() } },
});
record("right code by WhatsApp", read.status);

const flash = await verifications.startFlashCall({ startVerificationWithFlashCallRequestBody: { identity } });
const rung = await verifications.reportFlashCallById({
  id: flash.id,
  reportFlashCallVerificationByIdRequestBody: { flashCall: { cli: await code() } },
});
record("flash call", rung.status);
const spent = await verifications.startSms({ startVerificationWithSmsRequestBody: { identity } });
const wrong = other(await code());
let ended = "none";
for (let attempt = 0; attempt < 11; attempt += 1) {
  ended = await verifications
    .reportSmsById({ id: spent.id, reportSmsVerificationByIdRequestBody: { sms: { code: wrong } } })
    .then((answer) => `${answer.status} ${answer.reason}`, () => "refused");
}
record("exhausted code", ended);

const webhooks = new VerificationCallbackWebhooks(account);
const taken = JSON.parse(callbacks).map(({ headers, body, path }) => [
  webhooks.validateAuthenticationHeader(headers, body, path, "POST"),
  webhooks.parseEvent(body).event,
]);
record("callbacks", JSON.stringify(taken));

console.log(JSON.stringify(results));
