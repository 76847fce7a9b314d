// Drives @infobip-api/sdk against the sandbox; prints one [operation, result] in JSON for each call.
// Arguments: where node_modules is, the sandbox's URL, the API key, a number in digits, a user, a password.
import { createRequire } from "node:module";

const [modules, sandbox, apiKey, to, username, password] = process.argv.slice(2);
const { Infobip, AuthType } = createRequire(modules)("@infobip-api/sdk");
const baseUrl = `${sandbox}/infobip`;
const twoFa = new Infobip({ baseUrl, apiKey, authType: AuthType.ApiKey }).service.twoFA;

const results = [];
const record = (operation, result) => results.push([operation, String(result)]);

const code = async () => {
  const messages = await (await fetch(`${sandbox}/inbox?to=${to}`)).json();
  return messages[0].code;
};
const other = (right) => String((Number(right) + 1) % 10 ** right.length).padStart(right.length, "0");

const application = await twoFa.createApplication({
  name: "by Node",
  configuration: { pinAttempts: 2, verifyPinLimit: "9/3s", sendPinPerPhoneNumberLimit: "9/1d" },
});
record("create application", application.status);
const { applicationId } = application.data;
const template = await twoFa.createMessageTemplate(applicationId, {
  messageText: "Your code is {{pin}}",
  pinType: "NUMERIC",
  pinLength: 8,
});
record("create template", template.data.pinPlaceholder);
const { messageId } = template.data;
record("list applications", (await twoFa.getApplications()).data.length);
record("list templates", (await twoFa.getMessageTemplates(applicationId)).data.length);
const update = await twoFa.updateMessageTemplate(applicationId, messageId, {
  messageText: "Code {{pin}}",
  pinType: "NUMERIC",
  pinLength: 8,
});
record("update template", update.data.messageText);

const sent = await twoFa.sendPINCodeSMS({ applicationId, messageId, to }, false);
record("send", sent.data.smsStatus);
const right = await code();
record("length of the code", right.length);
const { pinId } = sent.data;
record("resend", (await twoFa.resendPINCodeSMS(pinId)).data.pinId === pinId);
record("resend by voice", (await twoFa.resendPINCodeVoice(pinId)).data.callStatus);
record("wrong PIN", (await twoFa.verifyPhoneNumber(pinId, { pin: other(right) })).data.pinError);
record("right PIN", (await twoFa.verifyPhoneNumber(pinId, { pin: right })).data.verified);
const status = await twoFa.getVerificationStatus(applicationId, { msisdn: to, verified: true });
record("status", status.data.verifications[0].verified);

const called = await twoFa.sendPINCodeVoice({ applicationId, messageId, to });
record("voice", called.data.callStatus);
const wrong = other(await code());
for (let attempt = 0; attempt < 2; attempt += 1) await twoFa.verifyPhoneNumber(called.data.pinId, { pin: wrong });
record("exhausted PIN", (await twoFa.verifyPhoneNumber(called.data.pinId, { pin: await code() })).data.pinError);

const byPassword = new Infobip({ baseUrl, username, password, authType: AuthType.Basic }).service.twoFA;
record("by user and password", (await byPassword.getApplications()).data.length);

console.log(JSON.stringify(results));
