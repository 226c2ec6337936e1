"""Style Intervention: edits in style space that change only the region of the attribute."""

from pipeline.editors.style_intervention.config import Config
from pipeline.editors.style_intervention.intervention import StyleIntervention

__all__ = ["Config", "StyleIntervention"]
