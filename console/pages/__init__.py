"""The console's pages, in the order of their keys."""

from typing import Final

from console.pages.audit import AuditPage
from console.pages.base import Page
from console.pages.blotter import BlotterPage
from console.pages.desk import DeskPage
from console.pages.log import LogPage
from console.pages.performance import PerformancePage
from console.pages.risk import RiskPage
from console.pages.signals import SignalsPage
from console.pages.validation import ValidationPage

_PAGES: Final = (DeskPage, SignalsPage, BlotterPage, RiskPage, PerformancePage, AuditPage, ValidationPage, LogPage)
PAGE_NAMES: Final = tuple(page.name for page in _PAGES)


def all_pages() -> tuple[Page, ...]:
    """One of each, for one console."""
    return tuple(page() for page in _PAGES)
