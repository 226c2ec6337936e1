"""What an edit by Style Intervention costs on a CPU: beside the naive way, of the bound that its layers set, in memory.

    stylemill directions fit --latents T --labels T --out out/fit
    stylemill directions fit --latents T --labels T --space s --penalty l1 --out out/sparse
    python -m benchmarks.style_intervention --directions out/fit/directions out/sparse/directions
    python -m benchmarks.style_intervention --directions ... --faces 1 --layers 2     # some minutes

The naive way takes 6 Adam steps for each layer, by whole passes of the generator at 1024 px, forwards and backwards.
Both are processes of their own and take turns, a face each, beside a third one that times the layers; memory is a
process's peak, all included. With --layers the naive way solves for so many layers only, and its time is scaled up: all
its passes are alike. Its loss is then not compared.
"""

from collections import Counter
from dataclasses import replace

import tyro

from benchmarks.ials_contest import GENERATOR
from benchmarks.machine import header
from benchmarks.style_intervention_contest import Benchmark, Result, best, contest
from pipeline.engine.machine import cores
from pipeline.models import generators

GOALS = {"naive": 2.0, "bound": 0.9, "memory": 4e9}


def verdict(value: float, goal: float, at_most: bool = False) -> str:
    met = value <= goal if at_most else value >= goal
    return f"goal: {'at most' if at_most else 'at least'} {goal:g}, {'met' if met else '**missed**'}"


def report(options: Benchmark) -> str:
    """Markdown."""
    found = contest(options)
    times, layers = best(found["layers"]), generators.load(GENERATOR, backend="eager").style_layers
    flags = f"--directions W S --attribute {options.attribute} --faces {options.faces}"
    flags += f" --layers {options.layers}" if options.layers else ""
    text = "# Style Intervention on a CPU\n\n" + header("python -m benchmarks.style_intervention", flags)
    text += f"{options.threads} threads, {options.attribute}, batch 1.\n\n"
    text += (
        "| face | way | seconds | passes | final loss | outside the mask: at the start, at the end | peak memory |\n"
    )
    text += "|---:|---|---:|---:|---:|---|---:|\n"
    for face in range(options.faces):
        for way in ("the naive way", "ours"):
            one: Result = found[way][face]
            told = not (options.layers and way == "the naive way")
            loss = f"{one.loss:.5f}" if told else "of some layers"
            outside = f"{one.errors[0]:.5f}, {one.errors[1]:.5f}" if told else ""
            text += f"| {face} | {way} | {one.seconds:.1f} | {sum(one.passes.values())} | {loss} | {outside} "
            text += f"| {one.memory / 1e9:.2f} GB |\n"
    seconds = {way: sum(one.seconds for one in found[way]) for way in ("the naive way", "ours")}
    faster = seconds["the naive way"] / seconds["ours"]
    passes = sum((one.passes for one in found["ours"]), Counter())
    bound, won = times.bound(passes), sum(passes.values()) * times.whole / seconds["ours"]
    memory = max(one.memory for one in found["ours"])
    text += f"\n**{faster:.1f} times** as fast as the naive way ({verdict(faster, GOALS['naive'])})"
    if not options.layers:
        theirs = sum(one.loss for one in found["the naive way"]) / options.faces
        ours = sum(one.loss for one in found["ours"]) / options.faces
        text += f"; the mean of the final loss is {ours:.5f}, theirs {theirs:.5f}"
    text += (
        f". As many whole passes at 512 px would take {won:.2f} times as long; the layers' own times set a bound of "
    )
    text += f"{bound:.2f}, of which **{won / bound:.2f}** is reached ({verdict(won / bound, GOALS['bound'])}). "
    text += f"Peak memory {memory / 1e9:.2f} GB ({verdict(memory / 1e9, GOALS['memory'] / 1e9, at_most=True)}).\n\n"
    text += f"## The layers\n\nA whole pass takes {times.whole:.3f} s, the layers alone "
    text += (
        f"{sum(times.forward) + sum(times.backward):.3f} s. Passes: of all faces, by the layer that they begin at.\n\n"
    )
    text += "| layer | channels | forwards, ms | backwards, ms | passes |\n|---|---:|---:|---:|---:|\n"
    for place, layer in enumerate(layers):
        text += f"| {layer.name} | {layer.width} | {times.forward[place] * 1e3:.1f} "
        text += f"| {times.backward[place] * 1e3:.1f} | {passes[place]} |\n"
    return text


if __name__ == "__main__":
    chosen = tyro.cli(Benchmark, description=__doc__)
    chosen = replace(chosen, threads=chosen.threads or cores())
    made = report(chosen)
    print(made)
    chosen.out.write_text(made)
