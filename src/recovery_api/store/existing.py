"""Whether a query finds anything, without the brackets that SQLAlchemy puts around EXISTS: SQLite's parser takes so many and no more."""
from typing import Any, TypeAlias

from sqlalchemy import Boolean, Select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

Found: TypeAlias = Select[*tuple[Any, ...]]


class existing(FunctionElement[bool]):  # noqa: N801 - an SQL function's name
    """EXISTS of a query."""

    type = Boolean()
    inherit_cache = True
    _is_implicitly_boolean = True  # so that it stands as it is where a condition is asked for

    def __init__(self, found: Found) -> None:
        super().__init__(found.scalar_subquery())


@compiles(existing)
def _existing(element: existing, compiler: SQLCompiler, **options: Any) -> str:
    return f"EXISTS {compiler.process(next(iter(element.clauses)), **options)}"
