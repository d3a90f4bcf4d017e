"""Documents as YAML that every reader takes the same way: texts stand in quotes, names of fields do not."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import yaml


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> Any:
        # Unquoted, 1e3 or 08 are text to one reader and numbers to another.
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="'")

    def represent_names(self, data: Mapping[str, Any]) -> Any:
        node = self.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=False)
        for name, _ in node.value:
            if name.value.isascii() and name.value.replace("_", "a").isalpha():
                name.style = None
        return node


_Dumper.add_representer(str, _Dumper.represent_text)
_Dumper.add_representer(dict, _Dumper.represent_names)


def documents_text(comment: str, documents: Sequence[Mapping[str, Any]]) -> str:
    """All documents in one text, under a comment."""
    parts = [
        yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000, default_flow_style=False)
        for document in documents
    ]
    return f"# {comment}\n" + "---\n".join(parts)
