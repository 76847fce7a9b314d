"""What an SMS costs, roughly: enough for a drill's order of magnitude, not for a bill.

US dollars per message, rounded, from public pages of 2023 to 2025; prices differ between networks and
change monthly.

- HighLevel, "LC Phone pricing & billing guide": US, CA, PR, TT, ME, AO, MU, SR, NP
- WISECP, "Viewing SMS fee schedule", its sample answer: AD, TC, ZM, ZW
- everywhere else: the mean of an international SMS in 2023 by Mobilesquared, as The SMS Works quotes it
"""

ELSEWHERE = 0.065
BY_COUNTRY = {
    "AD": 0.19,
    "AO": 0.18,
    "CA": 0.008,
    "ME": 0.14,
    "MU": 0.19,
    "NP": 0.30,
    "PR": 0.04,
    "SR": 0.24,
    "TC": 0.29,
    "TT": 0.30,
    "US": 0.008,
    "ZM": 0.27,
    "ZW": 0.11,
}


def price(country: str) -> float:
    """US dollars for one SMS to this country (ISO 3166-1 alpha-2)."""
    return BY_COUNTRY.get(country, ELSEWHERE)
