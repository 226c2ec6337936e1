"""What a step of IALS costs on a CPU: of a forward and a backward pass, beside the public way, in memory; and its rows.

    python -m benchmarks.ials

Every contestant is a process of its own. Within a group they take turns, one step each, round after round, so that a
slow minute of the machine falls on all of them; the best round counts. Memory is a process's peak, all included. Faces
are of 512 px for us, as classifiers look at them, and of 1024 px for the public way; lambda1 = lambda2 = 0, so that
each attribute of a pair needs a gradient. Times are per face.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro
from torch import Tensor
from torch.nn.functional import cosine_similarity

from benchmarks.ials_contest import GENERATOR, PAIRS, STEP_SIZE, Contestant, contest, latents, scorer
from benchmarks.machine import header
from benchmarks.public_ials import PublicIALS
from pipeline.editors import EditRequest
from pipeline.editors.ials import IALS
from pipeline.engine.machine import cores
from pipeline.models import generators
from pipeline.models.codes import Codes

RESULTS = Path(__file__).parent / "results" / "ials.md"
STEPS = 20
GRADIENTS_ALONE = {"lambda1": 0.0, "lambda2": 0.0}
GOALS = {"bound": 0.9, "public": 4.0, "openvino": 7.0, "memory": 8e9, "recompute": 6e9, "difference": 1e-3}


@dataclass
class Benchmark:
    """How long to measure."""

    rounds: int = 10
    out: Path = RESULTS


def verdict(value: float, goal: float, at_most: bool) -> str:
    met = value <= goal if at_most else value >= goal
    return f"goal: {'at most' if at_most else 'at least'} {goal:g}, {'met' if met else '**missed**'}"


def alone(rounds: int, threads: int) -> str:
    """F and B of the generator without classifiers."""
    found = contest([Contestant("generator", rows=rows, threads=threads) for rows in (1, 2, 4)], rounds)
    lines = ["| rows | F, s | B, s | B / F | bound |", "|---:|---:|---:|---:|---:|"]
    lines += [
        f"| {who.rows} | {r.forward:.3f} | {r.backward:.3f} | {r.backward / r.forward:.2f} | {r.bound:.2f} |"
        for who, r in found.items()
    ]
    return (
        "## The generator alone\n\nF is a forward pass to 512 px whose features are kept, B one backward pass to w. "
        "Two attributes in one pass can win at most 2 (F + B) / (F + 2 B) over two passes.\n\n"
        + "\n".join(lines)
        + "\n\n"
    )


def pair(names: tuple[str, str], rounds: int, threads: int) -> str:
    """A whole step for a pair: against the bound, the public way and OpenVINO."""
    one, two, public, kept, openvino = (
        Contestant(way, names, threads=threads)
        for way in ("step", "two passes", "public", "public, memory kept", "openvino")
    )
    sizes = (1, 2)
    ours = [replace(who, rows=rows) for who in (one, two) for rows in sizes]
    found = contest([*ours, public, kept, openvino], rounds)
    unit, theirs = found[openvino].seconds, found[public].seconds
    best = min(found[replace(one, rows=rows)].seconds for rows in sizes)
    text = f"## A whole step for {names[0]} with {names[1]} held, classifiers included\n\n"
    lines = [
        "| rows | F, s | B, s | bound | two passes, s | one pass, s | won | of the bound | one generator pass spared |",
        "|---:|" + "---:|" * 8,
    ]
    shares = []
    for rows in sizes:
        step, passes = found[replace(one, rows=rows)], found[replace(two, rows=rows)]
        won = passes.seconds / step.seconds
        shares.append(won / step.bound)
        lines.append(
            f"| {rows} | {step.forward:.3f} | {step.backward:.3f} | {step.bound:.2f} | {passes.seconds:.3f} "
            f"| {step.seconds:.3f} | {won:.2f} | {shares[-1]:.2f} "
            f"| {passes.seconds / (passes.seconds - passes.generator / 2):.2f} |"
        )
    share = min(shares)
    text += "F with both classifiers, B the mean of the two backward passes. The bound has all of F shared; where each "
    text += "attribute has a network of its own only the generator's part is: last, what sparing that can win.\n\n"
    text += "\n".join(lines) + "\n\n"
    text += f"One pass reaches **{share:.2f} of the bound** ({verdict(share, GOALS['bound'], False)}).\n\n"
    lines = [
        "| | rows | s/face | OpenVINO's forward = 1 | faster than the public way | peak memory |",
        "|---|" + "---:|" * 5,
    ]
    for who in (openvino, public, kept, *(replace(one, rows=rows) for rows in sizes)):
        r = found[who]
        lines.append(
            f"| {who.way} | {who.rows} | {r.seconds:.3f} | {r.seconds / unit:.2f} | {theirs / r.seconds:.2f} "
            f"| {r.memory / 1e9:.2f} GB |"
        )
    text += "\n".join(lines) + "\n\n"
    text += (
        f"**{theirs / best:.1f} times** as fast as the public way ({verdict(theirs / best, GOALS['public'], False)}); "
    )
    text += f"a step takes **{best / unit:.2f} times** OpenVINO's forward pass of the same face"
    text += f" ({verdict(best / unit, GOALS['openvino'], True)}).\n\n" if names == PAIRS[0] else ".\n\n"
    return text


def agreement(names: tuple[str, str]) -> str:
    """Whether the public way and ours go the same way."""
    w_1W, public = latents(0, 1), PublicIALS(GENERATOR, names)
    theirs_1W = public.step(w_1W, *names, STEP_SIZE) - w_1W
    request = [EditRequest(names[0], names[1:], options=GRADIENTS_ALONE)]
    ours = IALS([], scorer(names, 1, torch.get_num_threads()), STEP_SIZE, steps=1).edit(Codes("w", w_1W), request)
    cosine = float(cosine_similarity(theirs_1W, ours.values[:, 1] - w_1W))
    with torch.no_grad():
        pixels = generators.load(GENERATOR).synthesize(Codes("w", w_1W), 1024) - public.synthesis(w_1W)
    return (
        f"The public way's pictures of 1024 px differ from ours by {float(pixels.abs().max()):.0e} at most; the two "
        f"steps of one face have a cosine of {cosine:.4f} (classifiers look at 1024 px there, at 512 px here).\n\n"
    )


def memory(rounds: int, threads: int) -> str:
    """Four rows at once, features kept and computed again."""
    lines = ["| pair | features | s/face | peak memory | |", "|---|---|---:|---:|---|"]
    for names in PAIRS:
        for recompute in (False, True):
            who = Contestant("step", names, rows=4, recompute=recompute, threads=threads)
            result = contest([who], rounds)[who]  # alone: four of these would not fit
            goal = GOALS["recompute" if recompute else "memory"]
            lines.append(
                f"| {', '.join(names)} | {'computed again' if recompute else 'kept'} | {result.seconds:.3f} "
                f"| {result.memory / 1e9:.2f} GB | {verdict(result.memory / 1e9, goal / 1e9, True)} |"
            )
    return "## Memory of a step, four rows at once\n\n" + "\n".join(lines) + "\n\n"


def walk(w_NW: Tensor, rows: int, threads: int, requests: Sequence[EditRequest] | None = None) -> Tensor:
    """w (N, W) after STEPS steps, `rows` at a time; male with smile held, unless others are asked for."""
    faces = scorer(PAIRS[0], rows, threads)
    editor = IALS([], faces, STEP_SIZE, STEPS, at_once=faces.at_once)
    wanted = requests or [EditRequest(PAIRS[0][0], PAIRS[0][1:], options=GRADIENTS_ALONE)] * rows
    return torch.cat([editor.edit(Codes("w", part), wanted).values[:, -1] for part in w_NW.split(rows)])


def rows_alike(threads: int) -> str:
    """Four faces at several batch sizes, and two of them beside others that want something else."""
    w_NW = latents(0, 4)
    by_size = {rows: walk(w_NW, rows, threads) for rows in (1, 2, 4)}
    others_NW = torch.cat([w_NW[:1], latents(4, 5), w_NW[2:3], latents(5, 6)])
    attribute, condition = PAIRS[0]
    requests = [
        EditRequest(attribute, (condition,), options=GRADIENTS_ALONE),
        EditRequest(condition, target="0", options=GRADIENTS_ALONE),
    ] * 2
    beside = walk(others_NW, 4, threads, requests)
    equal = [torch.equal(beside[row], by_size[4][row]) for row in (0, 2)]
    gone = float((by_size[1] - w_NW).norm(dim=1).mean())
    differences = {f"{a} and {b}": float((by_size[a] - by_size[b]).abs().max()) for a, b in ((1, 2), (1, 4), (2, 4))}
    most = max(differences.values())
    lines = ["| batch sizes | largest difference in w |", "|---|---:|"]
    lines += [f"| {sizes} | {difference:.1e} |" for sizes, difference in differences.items()]
    return (
        f"## Rows after {STEPS} steps of {STEP_SIZE}\n\nFour faces, {attribute} with {condition} held; they end "
        f"{gone:.2f} from where they were, in the mean.\n\n" + "\n".join(lines) + "\n\n"
        f"The largest is {most:.1e} ({verdict(most, GOALS['difference'], True)}). In batches of four, beside other "
        f"faces that want something else, {sum(equal)} of 2 rows are equal bit for bit.\n"
    )


def measure(options: Benchmark) -> Iterator[str]:
    """The report, section by section."""
    threads = cores()
    yield (
        "# IALS on a CPU\n\n"
        + header("python -m benchmarks.ials", f"--rounds {options.rounds}")
        + f"{threads} threads, {options.rounds} rounds; memory after {few(options.rounds)}.\n\n"
    )
    yield alone(options.rounds, threads)
    for names in PAIRS:
        yield pair(names, options.rounds, threads) + agreement(names)
    yield memory(few(options.rounds), threads)
    yield rows_alike(threads)


def few(rounds: int) -> int:
    return max(2, rounds // 3)


if __name__ == "__main__":
    chosen = tyro.cli(Benchmark, description=__doc__)
    sections = []
    for section in measure(chosen):
        print(section, end="", flush=True)
        sections.append(section)
    chosen.out.write_text("".join(sections))
