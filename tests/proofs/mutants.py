"""Conditions that the service's safety hangs on, each with its removal and the tests that must notice.

A condition is weakened rather than cut out where DynamoDB would refuse an expression with a value that
is not used: it must be the missing condition that is noticed, not the malformed request.
"""

from dataclasses import dataclass, replace

ALWAYS = "attribute_exists(pk)"


@dataclass(frozen=True)
class Mutant:
    """`old`, which stands once in `file`, becomes `new`; then one of these tests must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: str
    names: str = ""
    """As pytest's `-k` takes them; without it, all."""


def _store(name: str, old: str, new: str, names: str) -> Mutant:
    return Mutant(
        name,
        "adapters/dynamodb/store.py",
        old,
        new,
        "tests/contract/test_stores.py",
        f"dynamodb and ({names})",
    )


def _step(name: str, old: str, new: str, names: str) -> Mutant:
    return replace(_store(name, old, new, names), file="adapters/dynamodb/writes.py")


def _number(name: str, old: str, new: str, names: str) -> Mutant:
    return replace(_store(name, old, new, names), file="adapters/dynamodb/number_writes.py")


def _counter(name: str, old: str, new: str, names: str) -> Mutant:
    return replace(_store(name, old, new, names), file="adapters/dynamodb/counter_writes.py")


def _weak(constant: str, condition: str) -> tuple[str, str]:
    """The definition of a condition, before and after it holds for every item that is there."""
    return f'{constant} = "{condition}"\n', f'{constant} = "({condition} OR {ALWAYS})"\n'


SPENT = "conditions = [IS_OF_TENANT, IS_PENDING, IS_ALIVE, HAS_GUESSES, HAS_HOLDER]"
CONSUMED = 'f"{IS_PENDING} AND {IS_ALIVE} AND {IS_HELD_BY}",\n                verified='
WAITED = '    write.conditions.append(f"({waited})")\n'
COUNTED = """\
    counted = _count_at_number(service, verification, command, caller, peppers)
"""
CHECKED = """\
    try:
        check = _check(service, verification, command.otp, caller.deadline)
    except errors.OtpError:
        _end_code(service, verification, caller)
        raise
"""
SERVICE = "tests/unit/test_service.py tests/unit/test_lifecycle.py"
ADMISSION = "tests/unit/test_admission.py"
VERIFICATION = "tests/unit/test_verification.py"

MUTANTS = (
    # Guesses, in the store.
    _step(
        "a guess is taken from another tenant", *_weak("IS_OF_TENANT", "tenant = :tenant"), "spent_only_by"
    ),
    _store(
        "a guess is taken after the end",
        SPENT,
        SPENT.replace("IS_ALIVE", f'f"({{IS_ALIVE}} OR {ALWAYS})"'),
        "spent_only_by",
    ),
    _store(
        "a guess is taken after the success",
        SPENT,
        SPENT.replace("IS_PENDING", f'f"({{IS_PENDING}} OR {ALWAYS})"'),
        "consumed_once",
    ),
    _step("guesses are not limited", *_weak("HAS_GUESSES", "attempts < :max"), "exactly_the_allowed"),
    _step(
        "one guess too many is taken",
        'HAS_GUESSES = "attempts < :max"',
        'HAS_GUESSES = "attempts <= :max"',
        "exactly_the_allowed",
    ),
    _step(
        "a guess is taken in the second of the end",
        'IS_ALIVE = "expiresAt > :now"',
        'IS_ALIVE = "expiresAt >= :now"',
        "spent_only_by",
    ),
    _step(
        "a guess is taken from another session",
        *_weak("IS_OF_SESSION", "sessionHash = :session"),
        "spent_only_by",
    ),
    _step(
        "a guess is taken without the session",
        'HAS_NO_SESSION = "attribute_not_exists(sessionHash)"',
        f'HAS_NO_SESSION = "{ALWAYS}"',
        "spent_only_by",
    ),
    _step("a guess is taken about another number", *_weak("IS_OF_NUMBER", "phone = :phone"), "spent_only_by"),
    _step(
        "a guess is taken before anybody holds the code",
        'HAS_HOLDER = "attribute_exists(providerRef)"',
        f'HAS_HOLDER = "{ALWAYS}"',
        "no_provider_holds",
    ),
    _number(
        "a lane that failed does not wait",
        WAITED,
        WAITED.replace("({waited})", f"({{waited}} OR {ALWAYS})"),
        "wait_of_a_lane",
    ),
    _number(
        "strangers that failed eighty times do not disable the number",
        "else policy.closed_at",
        "else policy.closed_at + 99",
        "own_lane_takes_twenty",
    ),
    _number(
        "all lanes together take more than the limit",
        'f"(attribute_not_exists({total}) OR {total} < {write.value(most)})"',
        'f"(attribute_not_exists({total}) OR {total} < {write.value(most + 99)})"',
        "hundredth_failure",
    ),
    _number(
        "a token opens its lane whenever it was issued",
        '{tokens_from} <= {write.value(guess.token_issued_at)}"',
        '{tokens_from} <= {write.value((guess.token_issued_at or 0) + 99)}"',
        "token_opens_its_lane",
    ),
    _number(
        "a success at one tenant clears another's failures",
        "    write.remove(total_name(tenant))\n    for lane in {counted.lane",
        "    for lane in {counted.lane",
        "clears_its_own_lane",
    ),
    # Success, in the store.
    _store(
        "a code is right twice",
        CONSUMED,
        CONSUMED.replace("{IS_PENDING}", f"({{IS_PENDING}} OR {ALWAYS})"),
        "consumed_once or neither_be_guessed",
    ),
    _store(
        "a code is right after the end",
        CONSUMED,
        CONSUMED.replace("{IS_ALIVE}", f"({{IS_ALIVE}} OR {ALWAYS})"),
        "expired_verification",
    ),
    _store(
        "an earlier holder's code is right",
        CONSUMED,
        CONSUMED.replace("{IS_HELD_BY}", f"({{IS_HELD_BY}} OR {ALWAYS})"),
        "earlier_provider",
    ),
    # Sends, in the store.
    _step(
        "a send is reserved on a log that has moved",
        *_weak("IS_VERSION", "version = :version"),
        "second_reservation_on_one_read",
    ),
    _step(
        "a send is reserved on a log that is there by now",
        'HAS_NO_VERSION = "attribute_not_exists(version)"',
        'HAS_NO_VERSION = "attribute_not_exists(nothing)"',
        "changed_number_conflicts",
    ),
    _counter(
        "a budget is spent without end",
        "{alias} <= {write.value(most)})",
        f"{{alias}} <= {{write.value(most)}} OR {ALWAYS})",
        "budget_is_spent_up_to",
    ),
    _counter("a budget is overspent", "write.value(most)", "write.value(most + 8)", "budget_is_spent_up_to"),
    _step(
        "an Idempotency-Key is claimed twice",
        'IS_FREE_AGAIN = "attribute_not_exists(pk) OR expiresAt <= :now"',
        'IS_FREE_AGAIN = "attribute_not_exists(nothing) OR expiresAt <= :now"',
        "claimed_once",
    ),
    _number(
        "a new code forgets the number's failures",
        "    for tenant, lane in change.ended:\n",
        "    for tenant, lane in before.failures:\n",
        "forgets_no_failures",
    ),
    # What a refusal reveals.
    Mutant(
        "another tenant sees a verification",
        "domain/verification.py",
        "found.tenant == guess.tenant\n",
        "True\n",
        VERIFICATION,
    ),
    Mutant(
        "another session sees a verification",
        "domain/verification.py",
        "and found.session_hash == guess.session_hash\n",
        "",
        VERIFICATION,
    ),
    # The order of steps, in the use cases.
    Mutant(
        "a number's failure is counted after the provider's check",
        "use_cases/verify.py",
        COUNTED + CHECKED,
        CHECKED + COUNTED,
        "tests/proofs/test_state_machine.py",
        "memory",
    ),
    Mutant(
        "a number's failures are not counted",
        "use_cases/verify.py",
        COUNTED,
        COUNTED.replace("_count_at_number(service, verification, command, caller, peppers)", "_uncounted()")
        + "    assert True\n",
        SERVICE,
    ),
    Mutant(
        "any verdict of the provider but wrong is a success",
        "use_cases/verify.py",
        "if check is not Check.CORRECT:",
        "if check is Check.WRONG:",
        SERVICE,
    ),
    Mutant(
        "a success consumes nothing",
        "use_cases/verify.py",
        "    service.store.consume(verification, counted, secrets.token_urlsafe(12), "
        "verified_at, code_hash)\n",
        "",
        SERVICE,
    ),
    Mutant(
        "a limit refuses a repetition while its first request still sends",
        "use_cases/sending.py",
        "        if admission.has_key:\n",
        "        if False:\n",
        ADMISSION,
        "torn",
    ),
    Mutant(
        "a send that may have gone out is released",
        "use_cases/delivery.py",
        'self._note("doubt_unrecorded", lambda: self._record_unknown(reservation, resend_after))',
        'self._note("doubt_unrecorded", lambda: self.store.release(reservation))',
        SERVICE,
    ),
    Mutant(
        "a channel goes to every country",
        "use_cases/sending.py",
        "if not to.is_test and not service.policy.allows(to.country, channel):",
        "if False:",
        "tests/unit/test_resend_providers.py",
        "sends_only_to",
    ),
    Mutant(
        "a resend does not list the provider before its code is sent",
        "use_cases/resend.py",
        "if listed is None or not service.providers.ends_a_code({first}):",
        "if True:",
        "tests/unit/test_resend_providers.py",
        "request_during_a_resend",
    ),
    Mutant(
        "a resend ends a code that somebody else was sent where no other provider has the channel",
        "use_cases/sending.py",
        "    if holder in left or not avoid.issuperset(left):",
        "    if left:",
        "tests/unit/test_resend_providers.py",
        "whatsapp_message_does_not_end",
    ),
    Mutant(
        "a send that may have gone out is made again by the next provider",
        "use_cases/failover.py",
        "except FAILS_OVER as failed:",
        "except ProviderError as failed:",
        "tests/unit/test_failover.py",
    ),
    Mutant(
        "a code is checked by the provider that sends now",
        "use_cases/failover.py",
        "return self._ask(name, check, deadline)",
        "return self._ask(self._order[0], check, deadline)",
        "tests/unit/test_failover.py",
    ),
    # Limits on sends.
    Mutant(
        "a locked number is sent to",
        "domain/number.py",
        "    if (locked := lock(number, approach.tenant, lane, policy, now)) is not None:\n"
        "        return locked\n",
        "",
        SERVICE,
    ),
    Mutant(
        "no number of open codes stops a client",
        "domain/networks.py",
        "most = min(limits.hour - self._rest_of_last_hour(counts), limits.day - self._earlier(counts)) - 1",
        "most = 10**6",
        ADMISSION,
    ),
    Mutant(
        "no log of a number refuses",
        "domain/number.py",
        "    if wait > 0:\n        return errors.RateLimited(",
        "    if False:\n        return errors.RateLimited(",
        "tests/unit/test_number.py",
    ),
    Mutant(
        "a guess that a lock refuses stays spent",
        "use_cases/verify.py",
        "        try_to_store(service.emit, caller.deadline,"
        " lambda: service.store.return_guess(verification.key))\n",
        "        pass\n",
        SERVICE,
    ),
    _store(
        "a guess is given back after the guesses have ended",
        "{HAS_SPENT} AND {MAY_GO_ON}",
        "{HAS_SPENT}",
        "returned_until_the_guesses_have_ended",
    ),
    # The code at Sinch.
    Mutant(
        "the application's secret alone reveals a code",
        "use_cases/webhooks.py",
        "        if not keys.is_callback_key(peppers, send.key, request.callback_key):\n",
        "        if False:\n",
        "tests/unit/test_webhooks.py",
    ),
    _step(
        "a code is given after the provider has answered",
        'IS_NOT_HELD_BY = "(attribute_not_exists(providerRef) OR providerRef <> :ref)"\n',
        f'IS_NOT_HELD_BY = "({ALWAYS} OR providerRef <> :ref)"\n',
        "no_own_code",
    ),
    _number(
        "a reservation overwrites a holder that was noted meanwhile",
        "    if not before.verifications:\n",
        "    if True:\n",
        "recorded_meanwhile",
    ),
    Mutant(
        "a code in hand under the other pepper is not seen",
        "domain/number.py",
        "            verifications={**other.verifications, **self.verifications},\n",
        "            verifications=self.verifications,\n",
        "tests/unit/test_delivery.py",
    ),
    Mutant(
        "a device token of another number opens a lane",
        "domain/device_token.py",
        'keys.keyed(pepper, "number", e164)',
        '"any number"',
        "tests/unit/test_device_token.py",
    ),
    Mutant(
        "a window holds one too many",
        "domain/limits.py",
        "if len(newest_first) >= window.limit\n",
        "if len(newest_first) > window.limit\n",
        "tests/unit/test_limits.py",
    ),
    Mutant(
        "a key with another body gets the first one's answer",
        "domain/idempotency.py",
        "    if found.fingerprint != mine.fingerprint:\n        raise errors.IdempotencyKeyReused\n",
        "",
        ADMISSION,
    ),
    Mutant(
        "each address of an IPv6 network is a client",
        "domain/clients.py",
        "(int(parsed), 64)",
        "(int(parsed), 128)",
        ADMISSION,
    ),
    Mutant(
        "a block's limit of a day allows its limit of an hour in every hour",
        "domain/guard.py",
        "BLOCK = Spans(10, 20)\n",
        "BLOCK = Spans(10, 240)\n",
        "tests/unit/test_guard.py",
    ),
    Mutant(
        "a number is accepted in another spelling than E.164",
        "domain/phone.py",
        "phonenumbers.PhoneNumberFormat.E164) != spelled:",
        "phonenumbers.PhoneNumberFormat.E164) is None:",
        "tests/unit/test_phone.py",
        "parses_to_the_expected",
    ),
    Mutant(
        "a wrong secret is cached",
        "adapters/aws/secrets.py",
        "        taken = take(fields)\n        self._cached[secret] = (fetched_at, fields)\n",
        "        self._cached[secret] = (fetched_at, fields)\n        taken = take(fields)\n",
        "tests/unit/test_secrets.py",
        "not_cached",
    ),
    # Stops by administrators.
    Mutant(
        "a stop holds nothing back",
        "domain/admission.py",
        "        if stopped is not None:\n            raise stopped\n",
        "",
        "tests/unit/test_stops.py",
    ),
    Mutant(
        "a stop never ends",
        "domain/stops.py",
        "sorted(self.ends.items()) if end > now}",
        "sorted(self.ends.items())}",
        "tests/unit/test_stops.py",
    ),
    Mutant(
        "a provider that is stopped still sends",
        "use_cases/failover.py",
        "left_out = order.avoid | order.stopped.keys()",
        "left_out = order.avoid",
        "tests/unit/test_failover.py",
        "stopped",
    ),
    Mutant(
        "a provider that is stopped sends its own codes again",
        "use_cases/failover.py",
        "can_hold = self._has(holder, order.channel) and holder not in order.stopped",
        "can_hold = self._has(holder, order.channel)",
        "tests/unit/test_failover.py",
        "stopped",
    ),
    Mutant(
        "an unknown attribute stops nothing",
        "adapters/dynamodb/stops.py",
        '_NO_STOP = ("pk", "ttl")',
        '_NO_STOP = ("pk", "ttl", "stopped")',
        "tests/contract/test_stops.py",
        "moto and malformed_item",
    ),
    # Answers of providers.
    Mutant(
        "an unknown answer of Sinch is a success",
        "adapters/providers/sinch.py",
        '_VERDICTS.get(word(content.get("status")))',
        '_VERDICTS.get(word(content.get("status")), Check.CORRECT)',
        "tests/unit/providers/test_sinch.py",
    ),
    Mutant(
        "any truthy answer of Infobip is a success",
        "adapters/providers/infobip.py",
        "if verified is True:",
        "if verified:",
        "tests/unit/providers/test_infobip.py",
    ),
    Mutant(
        "a callback is accepted with any signature",
        "adapters/providers/sinch_callbacks.py",
        'return None if is_signed else "signature"',
        "return None",
        "tests/unit/test_webhooks.py",
        "forged_callback",
    ),
    # Disclosure.
    Mutant(
        "numbers are not masked",
        "domain/phone.py",
        'return e164[:shown] + "*" * (len(e164) - shown - 2) + e164[-2:]',
        "return e164",
        "tests/unit/test_telemetry_events.py",
    ),
    Mutant(
        "every number is the same in the log",
        "domain/phone.py",
        'return e164[:shown] + "*" * (len(e164) - shown - 2) + e164[-2:]',
        'return "*"',
        "tests/unit/test_telemetry_events.py",
    ),
    Mutant(
        "a sandbox is taken in production",
        "adapters/providers/hosts.py",
        'settings.stage != "local" or ',
        "",
        "tests/unit/providers/test_hosts.py",
        "only_a_local_stack",
    ),
    Mutant(
        "credentials go to any host that begins like Infobip's",
        "adapters/providers/hosts.py",
        "_INFOBIP_URL.fullmatch(configured.lower()",
        "_INFOBIP_URL.match(configured.lower()",
        "tests/unit/providers/test_hosts.py",
        "infobips_credentials",
    ),
)
