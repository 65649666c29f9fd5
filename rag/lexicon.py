"""Word lists that the support checker reads English with: closed classes, written by hand.

Each list holds lower-case words. Where a list is compared with stems (`OPPOSITES`, `LIGHT`), it
is stemmed once in `rag.checking.facts`.
"""

from __future__ import annotations

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _in_order(text: str) -> list[str]:
    return text.split()


FUNCTION: Final = _words(
    """a an the this that these those and or but nor so yet if then than as of in on at by for from
    to into onto with within about against between among through during over under again further
    once here there when where why how all any both each few more most other some such only own
    same too very can will just should now is am are was were be been being have has had having
    do does did doing would could may might must shall i me my mine myself we us our ours ourselves
    you your yours yourself he him his himself she her hers herself it its itself they them their
    theirs themselves who whom whose which what while although though because since until unless
    also however therefore thus moreover meanwhile still even ever per via upon toward towards
    along across around out off up down not no never n't s t re ve ll d m 's not cannot n o
    one another whether despite like amid without before after above below else whatever whoever
    instead rather quite enough already almost nearly roughly approximately mr mrs ms dr"""
)
"""Words that carry no content of their own: they never count in the recall."""

LIGHT: Final = _words(
    """say tell add make take get go come give new year people time day week month first last
    include use call state country government official report accord know think see want need
    well way part number several many much various certain generally typically important provide
    based given passage mention information following overall additionally furthermore specific"""
)
"""Frequent words that tell little: they count half."""

PRONOUNS: Final = _words("he she it they him her them his hers its their theirs who i we")

TITLES: Final = _words(
    """president premier minister prime chancellor secretary senator sen governor gov mayor king
    queen prince princess pope general gen colonel captain capt lieutenant sergeant sgt judge
    justice chief representative rep congressman congresswoman chairman chairwoman director
    professor prof doctor dr mr mrs ms sir lady lord saint st spokesman spokeswoman ambassador
    coach dame majesty honorable republican democrat democratic leader ceo"""
)
"""Titles before a name: content words, but not part of the name that must be found."""

OPENERS: Final = _words(
    """officials police people critics supporters experts scientists researchers lawmakers voters
    prosecutors authorities investigators doctors workers families students protesters
    demonstrators residents witnesses analysts economists others nobody everyone everybody
    someone anyone nothing everything none today yesterday tomorrow many most several other
    another every either neither still yet later earlier recently finally perhaps maybe overall
    according under although despite because before after during since until yes no not never
    please note here there let make use add place allow both two three four five six seven eight
    nine ten eleven twelve hundreds thousands dozens millions additionally furthermore however
    therefore moreover similarly instead typically generally specifically some all each few
    such using based given following first second third next last lastly then once start half
    more less fewer about around nearly almost over at in on to from with without for as by of
    what who when where why how which while if it they he she we you i his her its their our my
    this that these those and but or nor so the a an one only just even also now"""
)
"""Words that often open a sentence and, capitalised there, are no names."""

CONNECTORS: Final = _words("of de van von der den bin ibn al el la le da di del dos du the")
"""Lower-case words that may stand inside a name."""

SAY: Final = _words(
    """say says said saying tell tells told add adds added announce announces announced claims
    claimed argue argues argued notes noted warn warns warned explain explains explained insist
    insists insisted declare declares declared stated writes wrote tweeted testify testifies
    testified acknowledge acknowledges acknowledged admit admits admitted suggest suggests
    suggested believe believes believed predict predicts predicted stressed recall recalls
    recalled reply replies replied ask asks asked reported"""
)
"""Verbs that give a speaker."""

NEGATORS: Final = _words(
    """not never no without cannot neither nor none nobody nothing nowhere hardly barely scarcely
    deny denies denied denying refuse refuses refused refusing reject rejects rejected rejecting
    fail fails failed failing lack lacks lacked lacking decline declines declined declining
    unable impossible"""
)
"""Words that turn what follows into its opposite."""

CLAUSE_OPENERS: Final = _words("but because while although though when who which since whereas")
"""Words at which the reach of a negation ends."""

BESIDE_SAY: Final = _words("has had have also later then who been was is")
"""Words that may stand between a speaker and the verb."""

BEFORE_MONTH: Final = _words(
    "in since last this next early late mid of until by from through before after during"
)
"""Words after which *May* and *March* are months."""

SYMMETRIC: Final = _words(
    """meet talk speak agree disagree discuss marry differ play face share join negotiate sign
    chat converse clash argue date hug"""
)
"""Stems of verbs whose two sides may be exchanged."""

CONTRACTED: Final = {
    **{
        f"{verb}n't": verb
        for verb in _in_order(
            """is are was were do does did has have had would could should
 must might need ought dare may"""
        )
    },
    "can't": "can",
    "won't": "will",
    "shan't": "shall",
    "ain't": "is",
    "cannot": "can",
}
"""Contracted and joined negations, to the verb without *not*."""

BE: Final = _words("is are was were be been being get got gets")

HEDGES: Final = _words(
    """may might could would should alleged allegedly reportedly rumored rumoured possibly perhaps
    maybe likely unlikely plan plans planned planning propose proposes proposed proposing consider
    considers considered considering expect expects expected hope hopes hoped seek seeks sought
    if unless unconfirmed potential potentially probably will claim claims claimed accuse accuses
    accused whether"""
)
"""Words that make what follows less than a fact."""

BOUNDS: Final = {
    **dict.fromkeys(
        ("about", "around", "roughly", "approximately", "some", "circa", "estimated"), "about"
    ),
    **dict.fromkeys(("over", "above", "exceeding", "least", "surpassing", "topping"), "over"),
    **dict.fromkeys(
        ("nearly", "almost", "under", "below", "most", "fewer", "less", "barely"), "under"
    ),
    **dict.fromkeys(("more", "greater", "higher"), "over"),
}
"""Words before a number that widen it; *more*, *less*, *least* and *most* need *than* or *at*."""

MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sept sep",
            "october oct",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}

WEEKDAYS: Final = {
    name: number
    for number, name in enumerate(
        _in_order("monday tuesday wednesday thursday friday saturday sunday")
    )
}

NUMBER_WORDS: Final = {
    **{
        word: number
        for number, word in enumerate(
            _in_order(
                """zero one two three four five six seven eight nine ten eleven twelve
 thirteen fourteen fifteen sixteen seventeen eighteen nineteen"""
            )
        )
    },
    **{
        word: 10 * number
        for number, word in enumerate(
            _in_order("twenty thirty forty fifty sixty seventy eighty ninety"), start=2
        )
    },
}

ORDINAL_WORDS: Final = {
    **{
        word: number
        for number, word in enumerate(
            _in_order(
                """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth
 thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"""
            ),
            start=1,
        )
    },
    "thirtieth": 30,
    "fortieth": 40,
    "fiftieth": 50,
    "sixtieth": 60,
    "seventieth": 70,
    "eightieth": 80,
    "ninetieth": 90,
    "hundredth": 100,
}

FRACTIONS: Final = {
    "half": 2,
    "halves": 2,
    "third": 3,
    "thirds": 3,
    "quarter": 4,
    "quarters": 4,
    "fourth": 4,
    "fourths": 4,
    "fifth": 5,
    "fifths": 5,
    "sixth": 6,
    "sixths": 6,
    "eighth": 8,
    "eighths": 8,
    "tenth": 10,
    "tenths": 10,
}

SCALES: Final = {
    "hundred": 1e2,
    "thousand": 1e3,
    "million": 1e6,
    "billion": 1e9,
    "trillion": 1e12,
    "dozen": 12.0,
    "mn": 1e6,
    "bn": 1e9,
    "tn": 1e12,
    "trn": 1e12,
    "m": 1e6,
    "k": 1e3,
    "b": 1e9,
}
"""Scale words; the one-letter ones count only when they touch the digits."""

CURRENCY_SIGNS: Final = {"$": "usd", "€": "eur", "£": "gbp", "¥": "jpy", "₩": "krw", "₹": "inr"}

UNITS: Final = {
    alias: unit
    for unit, aliases in {
        "%": "% percent pct percentage",
        "usd": "dollar dollars usd buck bucks",
        "cent": "cent cents",
        "eur": "euro euros eur",
        "gbp": "pound pounds gbp sterling",
        "jpy": "yen jpy",
        "krw": "won krw",
        "cny": "yuan renminbi rmb",
        "inr": "rupee rupees",
        "rub": "ruble rubles rouble roubles",
        "°": "° degree degrees deg",
        "second": "second seconds sec secs",
        "minute": "minute minutes min mins",
        "hour": "hour hours hr hrs",
        "day": "day days",
        "week": "week weeks",
        "month": "month months",
        "year": "year years yr yrs",
        "decade": "decade decades",
        "century": "century centuries",
        "km": "km kilometer kilometers kilometre kilometres",
        "metre": "meter meters metre metres",
        "cm": "cm centimeter centimeters centimetre centimetres",
        "mile": "mile miles",
        "foot": "foot feet ft",
        "inch": "inch inches",
        "yard": "yard yards",
        "kg": "kg kilogram kilograms kilo kilos",
        "gram": "gram grams",
        "lb": "lb lbs",
        "ton": "ton tons tonne tonnes",
        "acre": "acre acres",
        "hectare": "hectare hectares",
        "litre": "liter liters litre litres",
        "gallon": "gallon gallons",
        "barrel": "barrel barrels",
        "mph": "mph",
        "watt": "watt watts",
    }.items()
    for alias in aliases.split()
}

FIRM_UNITS: Final = frozenset(
    {
        "%",
        "pp",
        "usd",
        "cent",
        "eur",
        "gbp",
        "jpy",
        "krw",
        "cny",
        "inr",
        "rub",
        "°",
        "ordinal",
        "clock",
        "decades",
    }
)
"""Units that a number can't lose or gain without meaning something else."""

PLACES: Final = {
    alias: place
    for place, aliases in {
        "united states": "us u.s. usa u.s.a. america american americans",
        "united kingdom": "uk u.k. britain british briton britons",
        "united nations": "un u.n.",
        "european union": "eu e.u.",
        "france": "french",
        "netherlands": "dutch holland",
        "germany": "german germans",
        "spain": "spanish spaniards spaniard",
        "china": "chinese",
        "japan": "japanese",
        "korea": "korean koreans",
        "russia": "russian russians",
        "greece": "greek greeks",
        "switzerland": "swiss",
        "denmark": "danish danes",
        "sweden": "swedish swedes",
        "norway": "norwegian norwegians",
        "finland": "finnish finns",
        "poland": "polish poles",
        "turkey": "turkish turks",
        "ireland": "irish",
        "scotland": "scottish scots",
        "wales": "welsh",
        "england": "english",
        "israel": "israeli israelis",
        "iraq": "iraqi iraqis",
        "afghanistan": "afghan afghans",
        "pakistan": "pakistani pakistanis",
        "thailand": "thai thais",
        "philippines": "filipino filipinos philippine",
        "iceland": "icelandic",
        "portugal": "portuguese",
        "egypt": "egyptian egyptians",
        "ukraine": "ukrainian ukrainians",
        "belgium": "belgian belgians",
        "peru": "peruvian",
        "brazil": "brazilian brazilians",
        "congo": "congolese",
        "vietnam": "vietnamese",
        "taiwan": "taiwanese",
        "argentina": "argentine argentines",
        "europe": "european europeans",
        "asia": "asian asians",
        "africa": "african africans",
        "iran": "iranian iranians",
        "syria": "syrian syrians",
        "italy": "italian italians",
        "mexico": "mexican mexicans",
        "canada": "canadian canadians",
        "australia": "australian australians",
        "austria": "austrian austrians",
        "india": "indian indians",
        "cuba": "cuban cubans",
        "venezuela": "venezuelan venezuelans",
    }.items()
    for alias in aliases.split()
}
"""Names of countries and their people, to one name each."""

OPPOSITES: Final = (
    (
        "rise rises rose risen increase grow grew grown growth gain climb jump surge soar up "
        "upward higher expand raise boost double strengthen improve exceed widen accelerate",
        "fall fell fallen decrease decline drop shrink shrank plunge slide slump tumble down "
        "downward lower reduce cut halve weaken worsen narrow slow shed dip sink",
    ),
    ("win won victory beat defeat triumph winner", "lose lost loss loser"),
    (
        "agree agreement consent accept approve endorse support back favor favour embrace welcome",
        "disagree disagreement dissent reject disapprove oppose opposition object refuse decline "
        "deny",
    ),
    ("allow permit legalize authorize let", "ban forbid prohibit bar outlaw block prevent"),
    ("open reopen", "close shut closure"),
    ("begin began begun start launch", "end finish stop halt cease conclude"),
    ("before prior ahead", "after following since"),
    ("above over", "below under beneath"),
    ("more greater", "less fewer"),
    ("most", "least fewest"),
    ("best better good", "worst worse bad"),
    ("success succeed successful", "failure fail unsuccessful"),
    ("legal lawful constitutional", "illegal unlawful unconstitutional"),
    ("true", "false untrue"),
    ("guilty convict", "innocent acquit"),
    ("alive survive live", "dead die death kill"),
    ("arrive enter", "leave depart exit"),
    ("buy bought purchase", "sell sold sale"),
    ("import", "export"),
    ("majority", "minority"),
    ("north northern", "south southern"),
    ("east eastern", "west western"),
    (
        "male man boy father son husband brother mr",
        "female woman girl mother daughter wife sister mrs ms",
    ),
    ("positive", "negative"),
    ("early earlier earliest", "late later latest"),
    ("possible able", "impossible unable"),
    ("hot warm", "cold cool"),
    ("ally friend", "enemy foe"),
    ("hire", "fire"),
    ("join", "quit"),
    ("inside", "outside"),
    ("maximum", "minimum"),
    ("public", "private"),
    ("safe", "unsafe dangerous"),
    ("strong stronger", "weak weaker"),
    ("rich", "poor"),
    ("remember", "forget forgot"),
    ("lift", "impose"),
    ("confirm", "deny"),
    ("include", "exclude"),
    ("attack", "defend"),
    ("borrow", "lend"),
    ("love", "hate"),
    ("easy", "hard difficult"),
    ("known", "unknown"),
    ("likely", "unlikely"),
    ("long longer", "short shorter"),
    ("high", "low"),
    ("fast faster", "slow slower"),
    ("large larger largest big bigger biggest", "small smaller smallest little tiny"),
    ("gain", "lose lost loss"),
    ("highest", "lowest"),
    ("strongest", "weakest"),
    ("oldest older", "youngest younger newest newer"),
    ("fastest", "slowest"),
)
"""Pairs of word groups that point opposite ways on one axis."""

IRREGULAR: Final = {
    form: base
    for base, forms in {
        "say": "said",
        "tell": "told",
        "go": "went gone",
        "come": "came",
        "take": "took taken",
        "give": "gave given",
        "make": "made",
        "get": "got gotten",
        "see": "saw seen",
        "know": "knew known",
        "think": "thought",
        "find": "found",
        "become": "became",
        "begin": "began begun",
        "hold": "held",
        "lead": "led",
        "leave": "left",
        "meet": "met",
        "pay": "paid",
        "run": "ran",
        "send": "sent",
        "sell": "sold",
        "buy": "bought",
        "win": "won",
        "lose": "lost",
        "rise": "rose risen",
        "fall": "fell fallen",
        "grow": "grew grown",
        "speak": "spoke spoken",
        "write": "wrote written",
        "break": "broke broken",
        "choose": "chose chosen",
        "build": "built",
        "bring": "brought",
        "catch": "caught",
        "teach": "taught",
        "fight": "fought",
        "seek": "sought",
        "keep": "kept",
        "feel": "felt",
        "stand": "stood",
        "understand": "understood",
        "shoot": "shot",
        "die": "died dying",
        "kill": "killed",
        "drive": "drove driven",
        "fly": "flew flown",
        "show": "shown",
        "draw": "drew drawn",
        "throw": "threw thrown",
        "wear": "wore worn",
        "steal": "stole stolen",
        "strike": "struck",
        "swear": "swore sworn",
        "forget": "forgot forgotten",
        "forbid": "forbade forbidden",
        "shrink": "shrank shrunk",
        "sink": "sank sunk",
        "sing": "sang sung",
        "drink": "drank drunk",
        "swim": "swam swum",
        "eat": "ate eaten",
        "hide": "hid hidden",
        "ride": "rode ridden",
        "spend": "spent",
        "sit": "sat",
        "sleep": "slept",
        "deal": "dealt",
        "mean": "meant",
        "hear": "heard",
        "bear": "bore born borne",
        "do": "did done",
        "have": "had has",
        "be": "was were been is",
        "man": "men",
        "woman": "women",
        "child": "children",
        "person": "people persons",
        "foot": "feet",
        "tooth": "teeth",
        "wife": "wives",
        "life": "lives",
        "leaf": "leaves",
        "half": "halves",
        "decision": "decide decides decided deciding",
        "good": "better best",
        "bad": "worse worst",
    }.items()
    for form in forms.split()
}
"""Irregular forms to their base."""
