/** Error codes about the number. */
export const ABOUT_THE_NUMBER = [
  "INVALID_PHONE_NUMBER",
  "DESTINATION_NOT_ALLOWED",
  "PROVIDER_REJECTED",
  "NUMBER_DISABLED",
];
/** Error codes about the code; another guess may be right. */
export const ABOUT_THE_CODE = ["OTP_INCORRECT", "INVALID_OTP_FORMAT"];
/** Error codes after which the verification can no longer succeed. */
export const OVER = [
  "OTP_EXPIRED",
  "TOO_MANY_ATTEMPTS",
  "VERIFICATION_CANCELLED",
  "VERIFICATION_NOT_FOUND",
  "ALREADY_VERIFIED",
  "NUMBER_DISABLED",
];
