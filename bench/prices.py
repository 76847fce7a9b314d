"""What an SMS costs, roughly: enough for a drill's order of magnitude, not for a bill.

The table is the template's own, from which EstimatedCost is reckoned. US dollars per message, rounded, from
public pages of 2023 to 2025; prices differ between networks and change monthly.

- HighLevel, "LC Phone pricing & billing guide": US, CA, PR, TT, ME, AO, MU, SR, NP
- WISECP, "Viewing SMS fee schedule", its sample answer: AD, TC, ZM, ZW
- everywhere else: the mean of an international SMS in 2023 by Mobilesquared, as The SMS Works quotes it
"""

from local.template import environment
from sms_otp.adapters.config import Settings

PRICES = Settings.from_environment(environment()).sms_prices
ELSEWHERE = PRICES["*"]


def price(country: str) -> float:
    """US dollars for one SMS to this country (ISO 3166-1 alpha-2)."""
    return PRICES.get(country, ELSEWHERE)
