/** The number is what is wrong. */
export const ABOUT_THE_NUMBER = [
  "INVALID_PHONE_NUMBER",
  "DESTINATION_NOT_ALLOWED",
  "PROVIDER_REJECTED",
  "NUMBER_DISABLED",
];
/** The code is what is wrong; the next one may be right. */
export const ABOUT_THE_CODE = ["OTP_INCORRECT", "INVALID_OTP_FORMAT"];
/** No code can be right for this verification any more. */
export const OVER = [
  "OTP_EXPIRED",
  "TOO_MANY_ATTEMPTS",
  "VERIFICATION_CANCELLED",
  "VERIFICATION_NOT_FOUND",
  "ALREADY_VERIFIED",
  "NUMBER_DISABLED",
];
