/** What the backend's session says of this user: see "What your backend answers" in README.md. */
export interface OtpSession {
  step: "number" | "code" | "done";
  /** In E.164; with `step: "code"`, as the following. */
  phoneNumber?: string;
  channel?: OtpChannel;
  /** ISO 8601. */
  expiresAt?: string;
  /** Seconds until the code may be sent again. */
  resendAfter?: number;
  /** The backend's time, ISO 8601, where the page has the session at hand and no answer's `Date` header. */
  now?: string;
}

export type OtpChannel = "sms" | "voice" | "whatsapp";

/** A refusal as the backend answered it (RFC 9457), or `UNREACHABLE` or `UNKNOWN` where it did not. */
export interface OtpProblem {
  errorCode: string;
  /** The HTTP status; 0 where no answer came. */
  status: number;
  attemptsRemaining?: number;
  /** Seconds. */
  retryAfter?: number;
  [member: string]: unknown;
}

export interface OtpStep {
  step: "number" | "code" | "done";
  /** Whether the form begins there because the session says so. */
  resumed: boolean;
}

/** The part of libphonenumber-js that the form uses. */
export interface PhoneLibrary {
  AsYouType: new (country?: any) => { input(text: string): string; getCallingCode(): string | undefined; getCountry(): string | undefined };
  parsePhoneNumberFromString(text: string, country?: any): any;
  getCountries(): readonly string[];
  getCountryCallingCode(country: any): string;
}

export interface OtpFormEventMap {
  "otp-step": CustomEvent<OtpStep>;
  "otp-error": CustomEvent<OtpProblem>;
  "challenge-required": CustomEvent<OtpProblem>;
  "otp-verified": CustomEvent<Record<string, unknown>>;
}

export class OtpForm extends HTMLElement {
  /** libphonenumber-js, or an object with the same functions; null for none. */
  phoneLibrary: PhoneLibrary | null;
  /** Puts a number (E.164) into the first step. */
  set phoneNumber(number: string);
  /** Begins at the step that the session names. */
  set session(session: OtpSession);
  /** Puts in the code that the text has, and verifies it. */
  fill(text: string): void;
  /** Repeats the request that CHALLENGE_REQUIRED refused, with the captcha's response. */
  passChallenge(response: string): void;
  /** Back to an empty form. */
  reset(): void;

  addEventListener<Name extends keyof OtpFormEventMap>(
    type: Name,
    listener: (this: OtpForm, event: OtpFormEventMap[Name]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "otp-form": OtpForm;
  }
}
