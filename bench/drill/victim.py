"""One number under attack for two weeks: count the hours in which its owner cannot sign in.

The owner signs in at noon each day. At every other hour a sign-in is tried on a copy of the world, which
leaves the world unchanged. The attackers request codes for the number all the time, and some guess.
"""

from dataclasses import dataclass, replace

from bench.drill.people import Visit, address
from bench.drill.world import MIDNIGHT, WRONG_CODE, World
from sms_otp.domain import errors
from sms_otp.domain.clock import DAY, HOUR

DAYS = 14
NUMBER = "+14155550123"
HOME, ELSEWHERE = "192.0.2.7", "198.51.100.7"
GUESSES = 5


@dataclass(frozen=True)
class Siege:
    """The attack on the number, and how the service can recognize its owner."""

    name: str
    most_hours: int
    addresses: int
    solves: bool = False
    guesses: bool = False
    """Whether the attackers type wrong codes too."""
    has_token: bool = False
    at_home: bool = False
    """Whether the owner is on a network that verified the number before."""


SIEGES = (
    Siege("one address requests codes", 0, 1),
    Siege("one address guesses", 0, 1, guesses=True),
    Siege("20 addresses that do not solve, the owner on a new network", 18, 20, guesses=True),
    Siege("20 addresses that solve, the owner with a device token", 0, 20, True, True, has_token=True),
    Siege("20 addresses that solve, the owner on a usual network", 0, 20, True, True, at_home=True),
)


def hours_out(world: World, siege: Siege) -> int:
    """Hours of two weeks at which the owner could not sign in, starting from a new world."""
    owner = Visit(0, NUMBER, HOME if siege.at_home else ELSEWHERE, has_token=siege.has_token, solves=True)
    world.clock.now = MIDNIGHT + 12 * HOUR
    signs_in(world, replace(owner, network=HOME))
    out = 0
    for hour in range(DAYS * 24):
        for index in range(siege.addresses):
            world.clock.now = MIDNIGHT + DAY + hour * HOUR + index * 60
            attack(world, siege, address(100, index))
        world.clock.now = MIDNIGHT + DAY + hour * HOUR + 59 * 60
        # Only the sign-in at noon may change the world, so that the others do not weaken the attack.
        tried = world if hour % 24 == 12 else world.copy()
        out += not signs_in(tried, owner)
    return out


def attack(world: World, siege: Siege, network: str) -> None:
    """One address requests a code and, if `guesses`, types wrong codes."""
    visit = Visit(0, NUMBER, network, solves=siege.solves)
    try:
        verification_id = request(world, visit)
        for _ in range(GUESSES if siege.guesses else 0):
            try:
                world.verify(verification_id, NUMBER, WRONG_CODE)
            except errors.OtpIncorrect:
                continue
    except errors.OtpError:
        return


def signs_in(world: World, owner: Visit) -> bool:
    """Whether the owner gets a code within five minutes and verifies it."""
    for _ in range(5):
        try:
            world.verify(request(world, owner), NUMBER, token=owner.has_token)
        except (errors.RateLimited, errors.NumberLocked) as wait:
            world.clock.now += min(60, wait.retry_after or 60)
        except errors.OtpError:
            return False
        else:
            return True
    return False


def request(world: World, visit: Visit) -> str:
    """Request a code, and pass a challenge if one is required. Raises an `OtpError`."""
    try:
        return world.request(visit)
    except errors.ChallengeRequired:
        if not visit.solves:
            raise
        return world.request(visit, challenged=True)
