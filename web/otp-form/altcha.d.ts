import type { OtpForm } from "./otp-form.js";

/** Meets CHALLENGE_REQUIRED with ALTCHA's widget, in the form's slot `challenge`. */
export function meetWithAltcha(
  form: OtpForm,
  urls: {
    /** Of the folder `dist` of the npm package altcha, without a slash at its end. */
    widget: string;
    /** Of the backend's route that makes a challenge. */
    challenge: string;
  },
): void;
