import type { DetailedHTMLProps, HTMLAttributes } from "react";
import type { OtpForm, OtpFormEventMap, OtpSession, PhoneLibrary } from "./otp-form.js";

/** The element's attributes, properties and events in JSX; React 19 sets and listens to them itself. */
interface OtpFormProps extends DetailedHTMLProps<HTMLAttributes<OtpForm>, OtpForm> {
  "request-url": string;
  "verify-url": string;
  "resend-url"?: string;
  "session-url"?: string;
  channels?: string;
  "code-length"?: number;
  country?: string;
  countries?: string;
  phoneLibrary?: PhoneLibrary | null;
  phoneNumber?: string;
  session?: OtpSession;
  "onotp-step"?: (event: OtpFormEventMap["otp-step"]) => void;
  "onotp-error"?: (event: OtpFormEventMap["otp-error"]) => void;
  "onchallenge-required"?: (event: OtpFormEventMap["challenge-required"]) => void;
  "onotp-verified"?: (event: OtpFormEventMap["otp-verified"]) => void;
  [label: `label-${string}`]: string;
}

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "otp-form": OtpFormProps;
    }
  }
}
