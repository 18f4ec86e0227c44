"""What a first look at a scan leaves: an image of it, patterns, and a small copy in bins that answers detectors."""

from lazy4d.signals.overview.finding import overview_of
from lazy4d.signals.overview.keeping import save_overview
from lazy4d.signals.overview.known import BlockMoments
from lazy4d.signals.overview.overview import Overview
from lazy4d.signals.overview.proxy import Proxy
from lazy4d.signals.overview.scan_pass import OverviewPass

__all__ = ["BlockMoments", "Overview", "OverviewPass", "Proxy", "overview_of", "save_overview"]
