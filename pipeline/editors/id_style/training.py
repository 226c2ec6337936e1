"""Training of ID-Style through pictures: Eq. 6 to 11.

A step edits codes, has the faces of the edited codes judged in parts (face_parts.py), and passes their gradients back
through the network at once. What a part gives does not depend on where it is computed.

Shapes: B rows of a step, K edits of a step, L layers of w+, W w_dim, M attributes, E numbers of an embedding.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from pipeline.editors.id_style import losses, released
from pipeline.editors.id_style.face_parts import Edited, Look, Seen, in_parts
from pipeline.editors.id_style.flags import JUDGED, STEPS, WEIGHTS, Flags, learning_rate
from pipeline.editors.id_style.learned_codes import LearnedCodes
from pipeline.editors.id_style.networks import IDStyle
from pipeline.editors.id_style.start import check_start, normals
from pipeline.editors.resumable import ADABELIEF, load_optimiser_state, optimiser_state
from pipeline.editors.training import FacesOfTraining, LabelledCodes
from pipeline.errors import SpecError
from pipeline.models.randomness import raw_words

BETAS, EPSILON = (0.98, 0.98), 1e-16
DRAWN = 22
"""Stream of the seed."""


class TrainConfig(Flags):
    """Train directions that keep the identity, with an intensity for each face (ID-Style); write DIR/artifact.

    Faces are made in training, and scored by the classifiers and by an identity network.

    Example: stylemill train id-style --latents out/faces/latents --labels out/faces/labels --attributes smile,old --steps 2000 --out out/ids
    """  # noqa: E501  one line can be pasted

    def open(self, rows: LabelledCodes, device: torch.device, faces: FacesOfTraining | None = None) -> IDStyleTraining:
        return IDStyleTraining(rows, self, device, faces)


class IDStyleTraining:
    """Step by step (`pipeline.editors.training.Training`).

    A face is edited away from the side of the boundary on which its classifier sees it. What is seen of a face before
    it is edited is kept, and seen again after a resume. Where `faces` have a judge, it looks at held-out faces now and
    then: that is told, and decides nothing.

    Args:
        rows: codes in w or w+, and the scores of the attributes that are learned.
        config: what is asked.
        device: where the network is.
        faces: who makes and looks at faces; None to know the steps alone.

    Raises:
        SpecError: too few rows, an attribute that the public code does not know where it is followed, or one that
            cannot be told in the scores that a start from an SVM needs.
    """

    def __init__(
        self, rows: LabelledCodes, config: Flags, device: torch.device, faces: FacesOfTraining | None = None
    ) -> None:
        self.config, self.attributes, self.step = config, rows.attributes, 0
        self.codes = LearnedCodes(rows, config.held_out, config.crossovers, config.batch_size, config.seed)
        self._rows, self._device, self._faces = rows, device, faces
        self._seen: dict[int, Seen] = {}
        self._judged: list[Seen] = []
        if config.as_released:
            released.check_attributes(rows.attributes)
        if config.first_directions == "svm":
            check_start(self.codes.to_start_from()[1], rows.attributes, config.seed)

    @property
    def steps(self) -> int:
        return self.config.steps or STEPS

    @property
    def phase(self) -> str:
        return "ID-Style"

    @cached_property
    def network(self) -> IDStyle:
        """As it is after `step` steps."""
        rows, config = self._rows, self.config
        masks_ML = released.masks(self.attributes, self.faces.stylegan2_rows) if config.as_released else None
        width = rows.codes.values.shape[-1]
        made = IDStyle(rows.layers, width, self.attributes, config.seed, config.without, masks_ML)
        if config.first_directions == "svm":
            made.start_along(normals(*self.codes.to_start_from(), self.attributes, config.seed))
        made.start_moving(config.first_move)
        return made.to(self._device)

    @cached_property
    def optimiser(self) -> torch.optim.Optimizer:
        """AdaBelief (Zhuang et al., 2020, Algorithm 2) with decoupled weight decay, as in the public code."""
        from pytorch_optimizer import AdaBelief

        return AdaBelief(
            self.network.parameters(), self.config.learning_rate, BETAS, self.config.weight_decay, eps=EPSILON
        )

    def advance(self, steps: int) -> Mapping[str, float]:
        """So many steps; the mean losses of these steps by name, before they are weighed. If the judge is due, `judged`
        and `alike` of MEANINGS too."""
        begun, every = self.step, self.config.judged_every(len(self.attributes))
        told = [self._advance() for _ in range(min(steps, self.steps - self.step))]
        losses = {name: math.fsum(each[name] for each in told) / len(told) for name in told[0]}
        due = every and (self.step // every > begun // every or self.step == self.steps)
        return {**losses, **self._judge()} if due else losses

    def state(self) -> dict[str, Tensor]:
        """All that a later process needs to go on, with `step`."""
        return optimiser_state(self.network, self.optimiser, moments=ADABELIEF)

    def load(self, state: Mapping[str, Tensor], step: int) -> None:
        """Go on from the state after so many steps. Raises SpecError where it is that of another network."""
        load_optimiser_state(self.network, self.optimiser, state, step, moments=ADABELIEF)
        self.step = step

    def tensors(self) -> dict[str, Tensor]:
        """The weights: see `IDStyle.named`."""
        return self.network.named()

    @torch.no_grad()
    def metrics(self) -> dict[str, float]:
        """Of each attribute, over the held-out faces: the share whose edit is on the other side of the boundary, by the
        classifiers that are learned from, and the mean cosine of the identity."""
        rows = [self.codes.row(row) for row in self.codes.held_out.tolist()]
        before = self.faces.compute([Look(ws_LW, self.attributes) for ws_LW in rows])
        edits, looks = [], []
        for ws_LW, seen in zip(rows, before, strict=True):
            moves_MLW = self.network(ws_LW[None].to(self._device))[0].cpu()
            for name, move_LW in zip(self.attributes, moves_MLW, strict=True):
                edits.append((name, seen, seen.side(name)))
                looks.append(Look(ws_LW + seen.side(name) * move_LW, (name,)))
        found: defaultdict[str, list[float]] = defaultdict(list)
        for (name, seen, attr), after in zip(edits, self.faces.compute(looks), strict=True):
            found[f"edit.{name}.reached"].append(float(attr * after.scores[name] > 0))
            unlike = losses.identity(seen.embedding[None], after.embedding[None])
            found[f"edit.{name}.likeness"].append(1 - float(unlike))
        return {name: float(np.mean(values)) for name, values in found.items()}

    @torch.no_grad()
    def _judge(self) -> dict[str, float]:
        """Of held-out faces, each edited in one attribute: how often the judge sees it changed, and how far the
        identity is kept."""
        names = [name for name in self.attributes if name in self.faces.judged]
        rows = [self.codes.row(row) for row in self.codes.held_out[:JUDGED].tolist()] if names else []
        if not rows:
            return {}
        asked = [names[place % len(names)] for place in range(len(rows))]
        if not self._judged:
            looks = [Look(ws_LW, (name,), by_judge=True) for ws_LW, name in zip(rows, asked, strict=True)]
            self._judged = self.faces.compute(looks)
        edits = []
        for ws_LW, name, seen in zip(rows, asked, self._judged, strict=True):
            move_LW = self.network(ws_LW[None].to(self._device))[0, self.attributes.index(name)].cpu()
            edits.append(Look(ws_LW + seen.side(name) * move_LW, (name,), by_judge=True))
        pairs = [*zip(asked, self._judged, self.faces.compute(edits), strict=True)]
        changed = [before.side(name) * after.scores[name] > 0 for name, before, after in pairs]
        alike = [
            1 - float(losses.identity(before.embedding[None], after.embedding[None])) for _, before, after in pairs
        ]
        return {"judged": sum(changed) / len(pairs), "alike": math.fsum(alike) / len(pairs)}

    # -- one step -----------------------------------------------------------------------------------------------------

    def _advance(self) -> dict[str, float]:
        rate = learning_rate(self.config, self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        told = self._backward(self.codes.batch(self.step), self._edits())
        if bad := [name for name, value in told.items() if not math.isfinite(value)]:
            raise SpecError(f"the loss {bad[0]} is not finite at step {self.step}: a lower --learning-rate may help")
        self.optimiser.step()
        self.step += 1
        return told

    def _backward(self, numbers: Sequence[int], edits: Sequence[tuple[int, int]]) -> dict[str, float]:
        """The gradient of Eq. 11 in the network; each loss before it is weighed. edits: K places, each of a code among
        the numbers, and of an attribute."""
        config, network = self.config, self.network
        codes = [self.codes.code(number) for number in numbers]
        before = self._before(numbers, codes)
        ws_BLW = torch.stack(codes).to(self._device)
        intensity_BLW = network.intensity(ws_BLW)
        deltas_BMLW = network(ws_BLW, intensity_BLW)
        rows, places = [list(each) for each in zip(*edits, strict=True)]
        names = [self.attributes[place] for place in places]
        attr_K = torch.tensor([before[row].side(name) for row, name in zip(rows, names, strict=True)])
        edited_KLW = ws_BLW[rows] + attr_K.to(ws_BLW)[:, None, None] * deltas_BMLW[rows, places]

        many = len(self.attributes) if config.reduction == "sum" else 1
        of_class_K = torch.full((len(edits),), many * config.lambda_class / len(edits))
        of_identity_K = many * config.lambda_id * self._identity_shares(places)
        known_KE = torch.stack([before[row].embedding for row in rows])
        parts = [
            Edited(codes_NLW, tuple(names[some]), attr_K[some], known_KE[some], weights, config.logit_scale)
            for some in in_parts(len(edits), self.faces.at_once)
            for codes_NLW in [edited_KLW.detach()[some].cpu().clone()]
            for weights in [(of_class_K[some], of_identity_K[some])]
        ]
        slopes = self.faces.compute(parts)
        told = {
            "neighbourhood": self._neighbourhood(deltas_BMLW),
            "direction": losses.direction(intensity_BLW, network.direction_MW, config.reduction),
            "sparsity": losses.sparsity(network.direction_MW, config.reduction),
        }
        of_network = torch.stack([getattr(config, WEIGHTS[name]) * value for name, value in told.items()]).sum()
        of_faces_KLW = torch.cat([slope.gradient for slope in slopes]).to(edited_KLW)
        torch.autograd.backward([edited_KLW, of_network], [of_faces_KLW, torch.ones_like(of_network)])
        return {
            "classification": many * float(torch.cat([slope.classification for slope in slopes]).mean()),
            "identity": many * float(torch.cat([slope.identity for slope in slopes]).mean()),
            **{name: float(value.detach()) for name, value in told.items()},
        }

    def _edits(self) -> list[tuple[int, int]]:
        """What this step edits: the place of a code among those of the step, and the place of an attribute."""
        rows, many = len(self.codes.batch(self.step)), len(self.attributes)
        if self.config.edits_of_a_row == "all":
            return [(row, place) for place in range(many) for row in range(rows)]
        words = raw_words(self.config.seed, self.step, rows, DRAWN)
        return list(enumerate((words % np.uint64(many)).astype(int).tolist()))

    def _neighbourhood(self, deltas_BMLW: Tensor) -> Tensor:
        if self.config.as_released:
            return released.neighbourhood(deltas_BMLW)
        return losses.neighbourhood(deltas_BMLW, self.config.reduction)

    def _identity_shares(self, places: Sequence[int]) -> Tensor:
        """(K,), whose sum is 1: how much the identity of each edit weighs. places: of the attributes of K edits. The
        public code, which edits each face in all attributes, keeps it in one of them a step."""
        kept_K = torch.ones(len(places))
        if self.config.as_released and self.config.edits_of_a_row == "all":
            kept_K = (torch.tensor(places) == self.step % len(self.attributes)).float()
        return kept_K / kept_K.sum()

    # -- faces --------------------------------------------------------------------------------------------------------

    @property
    def faces(self) -> FacesOfTraining:
        if self._faces is None:
            raise SpecError("this training makes faces: give `faces` to open")
        return self._faces

    def _before(self, numbers: Sequence[int], codes: Sequence[Tensor]) -> list[Seen]:
        """What is seen of codes that are not edited; each is seen once."""
        unseen = {number: ws for number, ws in zip(numbers, codes, strict=True) if number not in self._seen}
        found = self.faces.compute([Look(ws_LW, self.attributes) for ws_LW in unseen.values()])
        self._seen |= dict(zip(unseen, found, strict=True))
        return [self._seen[number] for number in numbers]
