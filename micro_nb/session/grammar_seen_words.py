"""Patterns of :mod:`~micro_nb.session.grammar_seen`: what marks are called, what asks where, what only seems to ask."""

COLOURS = "yellow|green|red|blue|purple|violet|pink|magenta|orange|brown|cyan|black|white|dark|bright|grey|gray"
THING = (
    r"things?|objects?|spots?|dots?|blobs?|lines?|bands?|bars?|streaks?|stripes?|patch(?:es)?|marks?|areas?|regions?|cells?|"
    r"holes?|rings?|circles?|shapes?|structures?|stuff|smudges?|lumps?|stains?|clouds?|shadows?|specks?|bits?|ones?|balls?"
)
MARKS = {
    "scale bar": r"scale ?bars?|scalebars?|size bars?|calibration bars?|ruler|micron bar",
    "text": r"\btexts?\b|\bletter(?:s|ing)?\b|\bwords? (?:written|printed)|\bwriting\b|\bcaptions?\b|\blegend\b|\binscription|"
    r"\b(?:numbers?|labels?|something|anything) (?:is |are )?(?:written|drawn|printed|burn\w*|overlaid|typed)|\bannotat\w+",
    "pointer": r"\barrows?(?:head)?s?\b|\bpointers?\b|\bneedle\b|\bmarkers?\b(?= (?:in|on|at|drawn))|\bpointing at",
    "scribble": r"\bscribbl\w+|\bdoodl\w+|\bpen ?marks?\b|\bink\b|\bpaint(?:ed)?\b|\bcrayon|\bhand[- ]?drawn|\bdrawing\b|"
    r"\bdrawn (?:on|in|into|over)|\bmarked by hand",
    "debris": r"\bdebris\b|\bdirt\w*|\bdust\b|\bartefacts?\b|\bartifacts?\b|\bjunk\b|\bcontaminat\w+|\bfluff\b|"
    r"\blint\b|\bhairs?\b|"
    r"\bfibres? (?:on|in) the (?:slide|image|picture)|\bforeign\b|\bcrumbs?\b",
}
WHERE = (
    r"\bwhere|\bwhich (?:edge|side|corner|quadrant|half|part|border|quarter)|\bwhat (?:edge|side|corner|quadrant|part)\b|"
    r"\blocat|\bfind\b|\bpoint (?:to|out|at)|\bposition|\bcoord|\bbox\b|\bshow me\b|\bin which\b|\bwhereabouts"
)
COUNTS = (
    r"\bhow many|\bcount\b(?! it| that| this)|\bnumber of|\bhow (?:big|large|long|wide|much area)|\baverage|"
    r"\b(?:the|and|give|what\S*|is) mean\b|\bmedian\b"
)
ADVICE = r"\bshould i|\bhow (?:do|can|would|should|could) (?:i|you|we)|\bwhat to do|\bdisturb|\bremove|\bhow to\b|\bwhy\b"
MEASURED = (
    r"|\bgene\b|\bprotein\b|what does|what do the|\bshow\?|colou?rs?\b|\barea of\b|\bdiameter|\bshapes?\b|\bsize\b|\bintensit|"
    r"\bbrightness|\bwidth|\blength|\bpredominant|\bratio\b|\bvalue\b|\bmean of\b|\bfraction|\bdensity"
)
CELL_OR = (
    r"\bcells?\b[^.?]*\bor\b[^.?]*(?:dirt|dust|debris|arte?ifact|artefact|junk|noise|mark|stain|crystal|something else)|"
    r"(?:dirt|dust|debris|art[ei]fact|noise)\b[^.?]*\bor\b[^.?]*\bcells?\b|\bis (?:it|that|this) (?:really )?a cell\b"
)
KINDS = (
    r"yeast|bacteria|bacterium|worms?|embryo{}|colon(?:y|ies)|tissue|cells?|nuclei|powder|steel|spores?|fungi|fungus|parasites?|"
    r"mitochondria|platelets?"
)
