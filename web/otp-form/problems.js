/** The number is what is wrong. */
export const ABOUT_THE_NUMBER = ["INVALID_PHONE_NUMBER", "DESTINATION_NOT_ALLOWED", "PROVIDER_REJECTED"];
/** The code is what is wrong; the next guess may be right. */
export const ABOUT_THE_CODE = ["OTP_INCORRECT", "INVALID_OTP_FORMAT"];
/** No guess at this code can be right any more. */
export const OVER = [
  "OTP_EXPIRED",
  "TOO_MANY_ATTEMPTS",
  "VERIFICATION_CANCELLED",
  "VERIFICATION_NOT_FOUND",
  "ALREADY_VERIFIED",
];
