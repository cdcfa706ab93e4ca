"""Relations: the projection of the resources that say who stands to whom."""
from typing import TYPE_CHECKING

from recovery_api.store.records import Relation

if TYPE_CHECKING:
    from recovery_api.store.writer import Writer

COLUMNS = ("source_type", "source_id", *Relation._fields)


async def project(writer: "Writer", source_type: str, source_id: str, relations: tuple[Relation, ...]) -> None:
    """Make these the relations of the source."""
    from sqlalchemy import Text, delete

    from recovery_api.store.statement import bind
    from recovery_api.store.tables import relation

    statement = writer.statements.fixed(
        "unproject",
        lambda: delete(relation).where(
            relation.c.source_type == bind("source_type_", Text()), relation.c.source_id == bind("source_id_", Text())
        ),
    )
    await writer.connection.execute(statement.text, statement.values({"source_type_": source_type, "source_id_": source_id}))
    await writer.connection.copy("relation", COLUMNS, [(source_type, source_id, *one) for one in relations])
