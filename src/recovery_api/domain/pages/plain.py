"""A page as plain text."""
from recovery_api.domain.pages.page import Block, Kind, Page


def write(page: Page) -> bytes:
    """The page in UTF-8."""
    facts = "\n".join(f"{name}: {value}" for name, value in page.facts)
    parts = [page.title, *([facts] if facts else []), *map(_block, page.blocks)]
    return ("\n\n".join(parts) + "\n").encode()


def _block(block: Block) -> str:
    match block.kind:
        case Kind.RULE:
            return "---"
        case Kind.HEADING:
            return f"{block.text}\n{'-' * min(len(block.text), 72)}"
        case Kind.ITEM:
            return f"- {block.text}"
        case Kind.PARAGRAPH:
            return block.text
