"""The file of TRANSCRIBER_QUEUES: YAML to texts as they are written (`no` is Norwegian), and those to speech."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from services.chassis.errors import SettingError
from services.transcriber.domain.queues import Speech, read_queues

SETTING = "TRANSCRIBER_QUEUES"


def load_queues(path: str, *, english_only: str = "") -> dict[str, Speech]:
    """Each queue's speech; none where no file is set. Raises SettingError whose lines name queue and field."""
    if not path:
        return {}
    try:
        root = yaml.compose(Path(path).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        return read_queues(None if root is None else _plain(root), english_only=english_only)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise SettingError(f"{SETTING}: {path} is no YAML{where}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{SETTING}: {path} cannot be read ({type(error).__name__})") from None
    except ValueError as error:
        raise SettingError("\n".join(f"{SETTING}: {path}: {line}" for line in str(error).splitlines())) from None


def _plain(node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, value in node.value:
            if str(key.value) in found:
                raise ValueError(f"line {key.start_mark.line + 1}: {key.value} is there twice")
            found[str(key.value)] = _plain(value)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return node.value
