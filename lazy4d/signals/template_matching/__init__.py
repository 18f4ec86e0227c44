"""Template matching: images of how much the surroundings of every pixel look like a disk, a ring or a picture."""

from lazy4d.signals.template_matching.matching import (
    template_match as template_match,
)
from lazy4d.signals.template_matching.matching import (
    template_match_disk as template_match_disk,
)
from lazy4d.signals.template_matching.matching import (
    template_match_ring as template_match_ring,
)
from lazy4d.signals.template_matching.probe import get_probe_template as get_probe_template
