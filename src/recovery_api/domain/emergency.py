"""Emergency access, and when somebody must have reviewed it (domain.md 3.5)."""
from datetime import datetime

from recovery_api.domain.business_days import end_of_next


def review_due(moment: datetime) -> datetime:
    """The end of the first business day after a moment: Monday to Friday, at 17:00 in the moment's own zone."""
    return end_of_next(moment)
