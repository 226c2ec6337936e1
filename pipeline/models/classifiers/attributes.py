"""The attributes, each declared once. A further one is an entry here, or a file of its own and a line in LIST."""

from pipeline.models.classifiers import faceres, landmarks, parser, parts, pose
from pipeline.models.classifiers.attribute import Attribute, Measure, Reading
from pipeline.models.classifiers.boundary import Fixed, Mirror, SameShare
from pipeline.models.classifiers.emotion import Emotion
from pipeline.models.classifiers.emotion import smile as happy_emotion
from pipeline.models.classifiers.expression import Expression
from pipeline.models.classifiers.expression import smile as happy_expression
from pipeline.models.classifiers.eyewear import Eyewear
from pipeline.models.classifiers.faceres import FaceRes
from pipeline.models.classifiers.landmarks import Landmarks
from pipeline.models.classifiers.parser import CLASSES, Parser
from pipeline.models.classifiers.pose import HeadPose
from pipeline.models.classifiers.ssrnet import SsrAge, SsrGender

PERSON = tuple(name for name in CLASSES if name != "background")

SMILE = Attribute(
    name="smile",
    meaning="The face smiles.",
    readings={"faces": Reading(Emotion, happy_emotion), "judge": Reading(Expression, happy_expression)},
    region=("mouth", "upper_lip", "lower_lip"),
    points=landmarks.MOUTH,
    aliases={"smiling": 1},
    by_default=True,
)

MALE = Attribute(
    name="male",
    meaning="The face looks male to the networks, which is not a person's gender.",
    readings={
        "faces": Reading(FaceRes, faceres.male),
        "judge": Reading(SsrGender, boundary=Fixed(0.5, "gender = 0.5")),
    },
    region=PERSON,
    # Gender: in Tables 2 and 3 of InterFaceGAN it goes with age and with eyeglasses, where "male old people are more
    # likely to wear eyeglasses" (Sec. 3.3).
    aliases={"gender": 1, "female": -1},
    by_default=True,
)

OLD = Attribute(
    name="old",
    meaning="The face looks 40 years old or older.",
    # The judge's years are biased; the boundary makes up for it.
    readings={"faces": Reading(FaceRes, faceres.old), "judge": Reading(SsrAge, boundary=SameShare("faces"))},
    region=PERSON,
    # Age: along encoder4editing's age.pt the built-in generator's faces grow old (+5.0 in our score from -3 to +3).
    # Young: CelebA's opposite.
    aliases={"age": 1, "young": -1},
    by_default=True,
)

EYEGLASSES = Attribute(
    name="eyeglasses",
    meaning="The face wears eyeglasses or sunglasses.",
    readings={
        # benchmarks/eyeglasses_by_eye.json holds what was seen
        "faces": Reading(Parser, parser.eyeglasses, Fixed(-3.0, "by eye, on mobilestylegan-ffhq")),
        "judge": Reading(Eyewear, boundary=Fixed(0.0, "the probe's plane")),
    },
    region=("eyeglasses", "left_eye", "right_eye", "left_brow", "right_brow"),
    # Frames reach from the temples to the cheeks. What lies outside is held as it was, and so a frame that crosses the
    # border is held off as a whole.
    grown=40,
    points=landmarks.AROUND_EYES,
    aliases={"glasses": 1},
    by_default=True,
)

YAW = Attribute(
    name="yaw",
    meaning="The head is turned to the right of the picture.",
    readings={"faces": Reading(HeadPose, pose.yaw, Mirror()), "judge": Reading(Landmarks, landmarks.yaw, Mirror())},
    # No region: a head that turns uncovers what was behind it.
    # Pose: along encoder4editing's pose.pt the built-in generator's yaw falls (-3.4 in our score from -3 to +3). Where
    # the genforce files turn the head cannot be measured here: their generators are not.
    aliases={"pose": -1},
    by_default=True,
)

SEEN = "by eye, on mobilestylegan-ffhq"

MOUTH_OPEN = Attribute(
    name="mouth_open",
    meaning="The mouth is open: its inside or the teeth are visible.",
    readings={
        "faces": Reading(Parser, parts.mouth_open, Fixed(-1.5, SEEN)),
        "judge": Reading(Landmarks, landmarks.mouth_open, SameShare("faces")),
    },
    region=("mouth", "upper_lip", "lower_lip"),
    # The lower lip of an open mouth lies below that of a closed one.
    grown=40,
    points=landmarks.MOUTH,
    aliases={"mouth_slightly_open": 1},
)

BANGS = Attribute(
    name="bangs",
    meaning="Hair covers most of the forehead.",
    readings={"faces": Reading(Parser, parts.bangs, Fixed(0.0, "mean log-odds = 0"))},
    region=("hair", "skin", "left_brow", "right_brow"),
)

BLACK_HAIR = Attribute(
    name="black_hair",
    meaning="The hair is black.",
    readings={"faces": Reading(Parser, parts.black_hair, Fixed(-0.28, SEEN))},
    region=("hair",),
)

BLOND_HAIR = Attribute(
    name="blond_hair",
    meaning="The hair is blond.",
    readings={"faces": Reading(Parser, parts.blond_hair, Fixed(0.5, SEEN))},
    region=("hair",),
)

GREY_HAIR = Attribute(
    name="grey_hair",
    meaning="The hair is grey or white.",
    readings={"faces": Reading(Parser, parts.grey_hair, Fixed(0.35, SEEN))},
    region=("hair",),
    aliases={"gray_hair": 1},
)

HAT = Attribute(
    name="hat",
    meaning="There is a hat or a cap.",
    readings={"faces": Reading(Parser, parts.hat, Fixed(-1.5, SEEN))},
    region=("hat", "hair"),
    # A source without a hat shows its hair alone: a cap comes down to the brows, and a brim reaches beyond the hair.
    grown=80,
    aliases={"wearing_hat": 1},
)

LIST = (SMILE, MALE, OLD, EYEGLASSES, YAW, MOUTH_OPEN, BANGS, BLACK_HAIR, BLOND_HAIR, GREY_HAIR, HAT)
"""In the order of columns: a new one comes last."""

MEASURES_LIST = (
    Measure(
        name="age_years",
        meaning="The age that the face looks, in years.",
        readings={"faces": Reading(FaceRes, faceres.age_years), "judge": Reading(SsrAge)},
    ),
    Measure(name="yaw_degrees", meaning="Turn of the head to the right of the picture, in degrees.", of="yaw"),
)

ATTRIBUTES = tuple(one.name for one in LIST)
DEFAULT_ATTRIBUTES = tuple(one.name for one in LIST if one.by_default)
MEASURES = tuple(one.name for one in MEASURES_LIST)
ATTRIBUTES_BY_NAME = {one.name: one for one in LIST}
BY_NAME: dict[str, Attribute | Measure] = {**ATTRIBUTES_BY_NAME, **{one.name: one for one in MEASURES_LIST}}


def readings(family: str) -> dict[str, Reading]:
    """Raw statistics that a family gives, by name: of attributes, then of measures."""
    return {one.name: one.readings[family] for one in (*LIST, *MEASURES_LIST) if family in one.readings}


def meanings() -> dict[str, str]:
    """What each column of labels means."""
    return {one.name: one.meaning for one in (*LIST, *MEASURES_LIST)}
