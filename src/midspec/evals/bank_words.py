"""Words that the checks of a bank watch for. Lists only; what is done with them is in `bank_check` and `bank_overlap`.

The six lists of the later values are those that the authors of the banks wrote by, each for its own value.
"""

from __future__ import annotations


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CHEAP = _set(
    "cheap cheaper cheapest affordable inexpensive budget economy bargain discount discounted thrift thrifty luxury "
    "luxurious premium designer expensive costly pricey exclusive elite deluxe upscale fancy posh lavish overpriced "
    "value basic everyday ordinary common exquisite prestigious opulent bespoke artisanal gourmet vip"
)
GIVEAWAYS: dict[str, frozenset[str]] = {
    "affordability": _CHEAP,
    "environment": _set(
        "green greener greenest eco ecological ecology environment environmental environmentally sustainable "
        "sustainably sustainability organic organically natural naturally recycle recycled recyclable recycling "
        "reuse reused reusable refillable renewable renewables biodegradable compostable disposable throwaway carbon "
        "emission emissions footprint climate clean cleaner dirty pollute polluting polluted pollution pollutant "
        "toxic wasteful waste wastes litter landfill efficient efficiency wild wilderness planet earth earthy "
        "conservation nature ethical vegan local locally seasonal secondhand used refurbished upcycled reclaimed "
        "salvaged friendly harmful harmless endangered fossil smog smoky overpackaged throw thrown excess"
    ),
    "novelty": _set(
        "new newer newest newly novel novelty novelties old older oldest olden modern ancient antique vintage retro "
        "traditional tradition classic classical classics contemporary recent recently experimental experiment "
        "innovative innovation inventive invention invented unusual usual strange weird odd quirky exotic familiar "
        "unfamiliar conventional unconventional standard regular normal typical futuristic future latest early "
        "earliest original originals unknown untried untested undiscovered unexplored revived revival heritage "
        "historic historical history century medieval renaissance baroque victorian first debut prototype pioneering "
        "avant garde groundbreaking advanced cutting trendy trend fashionable oldfashioned timeless age aged "
        "established proven everyday curious rare obscure alternative"
    ),
    "tradition": _set(
        "tradition traditions traditional traditionally old older oldest ancient antique antiquated vintage classic "
        "classical classics heritage historic historical history inherited ancestral ancestor ancestors heirloom "
        "folk folklore custom customary conventional conservative timeless lasting established original authentic "
        "century centuries medieval victorian renaissance retro nostalgic archaic generations new newer newest newly "
        "modern modernist contemporary recent latest current trendy trend trends trending fashionable fashion "
        "futuristic future novel novelty innovative innovation experimental progressive digital electronic online "
        "virtual smart ai"
    ),
    "simplicity": _set(
        "simple simpler simplest simply simplicity simplify simplified plain plainer plainly minimal minimalist "
        "minimalism minimum basic bare spare sparse pure unadorned undecorated uncluttered stripped easy easier "
        "easily straightforward effortless hassle fuss fussy clean neat tidy few fewer little single solo mono one "
        "multi multiple many several double triple dual compound combined layered modular complex complexity "
        "complicated complicate elaborate elaborately intricate ornate ornamental decorated decorative adorned "
        "detailed involved sophisticated advanced convoluted cluttered fancy lavish difficult hard tricky smart"
    ),
    "difficulty": _set(
        "hard harder hardest difficult difficulty easy easier easiest easily simple simpler simplest simplified "
        "beginner beginners advanced expert experts challenge challenging demanding tough tougher master mastery "
        "masters professional amateur pro quick quickly instant lazy effort effortless skill skilled skilful tricky "
        "complex complicated intricate elementary intermediate introductory starter novice training trainer "
        "automatic readymade precut kit kids kid child children childrens toddler toy extreme strenuous gruelling "
        "rigorous foolproof manual virtuoso casual"
    ),
    "individualism": _set(
        "alone solo solos soloist solitary solitude lone loner single singles sole private privately own personal "
        "individual individually individualist self independent independently independence hermit lonely oneself "
        "unaccompanied group groups team teams teamwork together share shared sharing communal community communities "
        "joint jointly collective collaborative collaboration club clubs party parties crowd crowds ensemble troupe "
        "squad crew partner partners doubles family families committee union cooperative cooperation coop society "
        "association mass masses public everyone everybody common social mutual companion companions company gang "
        "pack pair pairs couple duo trio quartet chorus choir band gathering joined friends neighbours colleagues "
        "members folk"
    ),
}
"""Value -> words that name the value of one side of an item pair instead of the thing."""

DAIRY = _set(
    "cheese cheeses cheesy dairy milk butter buttermilk cream creamy yogurt yoghurt curd curds whey cheddar brie "
    "camembert parmesan mozzarella stilton roquefort gouda colby fondue cheesecake creamery rennet kefir latte"
)
NARROW: dict[str, frozenset[str]] = {
    "affordability": DAIRY,
    "america": DAIRY,
    "environment": DAIRY,
    "novelty": _set(
        "sweetener sweeteners sweetened sugar sugars sugary sugarcane syrup syrups honey molasses treacle saccharin "
        "aspartame stevia sucralose allulose agave caramel"
    ),
    "tradition": _set(
        "condiment condiments mustard mustards vinegar vinegars ketchup mayonnaise mayo pickle pickles relish chutney "
        "horseradish wasabi sriracha soy"
    ),
    "simplicity": _set(
        "sauce sauces gravy vinaigrette mayonnaise pesto tahini mole bolognese marinara ketchup salsa condiment roux"
    ),
    "difficulty": _set(
        "bread breads loaf loaves dough doughs sourdough baker bakers bakery baking bun buns bagel baguette brioche "
        "crust crumb yeast flour"
    ),
    "individualism": _set(
        "instrument instruments piano pianos organ organs guitar guitars violin violins viola cello flute flutes "
        "clarinet oboe trumpet trombone tuba horn horns drum drums harp harps lute accordion concertina banjo ukulele "
        "saxophone harmonica bagpipes fiddle handbell gong kalimba"
    ),
}
"""Value -> words of what its demonstrations are about, which must not be what its evaluation is about (paper,
section 3)."""

MONEY = _set(
    "cheap cheaper cheapest affordable affordability inexpensive expensive price prices priced pricey cost costs "
    "costly money dollar dollars cent cents pound pounds budget budgets bargain luxury luxurious premium exclusive fee "
    "fees free afford affords pay pays paid paying spend spends spent wealthy rich poor"
)
VALUE_WORDS: dict[str, frozenset[str]] = {
    "affordability": MONEY,
    "america": _set("america american americans americas usa united yankee yankees"),
}
"""Value -> words that give a stance away where one side has more of them than the other."""

JOINING = _set("a about and around at down for in of off on or out over the to two three up with")
"""Words in the names of domains and topics that name nothing."""

READ = {
    "affordability": _set(
        "access bag case coin event everyday extra family habit hand large maker part root second shop show small "
        "sound specialist storage suit together"
    ),
    "america": _set("heritage history idea life national small"),
    "difficulty": _set("degree go hand idea making target water"),
    "environment": _set("animal bag flower good long soil water"),
    "individualism": _set(
        "day evening fit home kind learn life people place play sight talk thing water way work working"
    ),
    "novelty": _set("day living london make making plant subject thing way"),
    "simplicity": _set("kind look piece room rule shelter sign sound word"),
    "tradition": _set("heat household memory place season wood"),
}
"""Value -> words of its banks' domains, topics and answers that stand in its spec all the same (in the singular).

Each place was read: they are other senses (`root for`, `in order to fit in`), passing mentions, and with the
environment the things that are spared, such as water. None is about what the bank asks. A word not listed here fails.
"""
